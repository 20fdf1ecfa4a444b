-- The tables of the trading platform that the trigger reads, as its migrations leave them: names,
-- types, enums (labels in the order in which they were added) and indexes. Columns that nobody
-- here reads are there where an INSERT of the platform's must work.

CREATE TYPE triggermode AS ENUM ('signal', 'periodic');
CREATE TYPE scannertype AS ENUM ('manual', 'filter', 'api');
CREATE TYPE executionstatus AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED',
                                     'SKIPPED', 'PAUSED');
ALTER TYPE executionstatus ADD VALUE 'MONITORING';
ALTER TYPE executionstatus ADD VALUE 'COMMUNICATION_ERROR';
ALTER TYPE executionstatus ADD VALUE 'NEEDS_RECONCILIATION';
ALTER TYPE executionstatus ADD VALUE 'AWAITING_APPROVAL';

CREATE TABLE public.users (
  id uuid PRIMARY KEY,
  email varchar(255) NOT NULL UNIQUE,
  created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'));

CREATE TABLE public.scanners (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES public.users (id),
  name varchar(100) NOT NULL,
  description text,
  scanner_type scannertype NOT NULL DEFAULT 'manual',
  config jsonb NOT NULL,
  is_active boolean NOT NULL DEFAULT true,
  refresh_interval integer,
  last_refreshed_at timestamp,
  created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  updated_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'));

CREATE TABLE public.pipelines (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES public.users (id),
  name varchar(255) NOT NULL,
  description text,
  config jsonb NOT NULL DEFAULT '{}',
  is_active boolean NOT NULL DEFAULT true,
  trigger_mode triggermode NOT NULL DEFAULT 'signal',
  scanner_id uuid REFERENCES public.scanners (id),
  signal_subscriptions jsonb,
  scanner_tickers jsonb,
  schedule_enabled boolean NOT NULL DEFAULT false,
  require_approval boolean NOT NULL DEFAULT false,
  created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
  updated_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'));
CREATE INDEX ix_pipelines_user_id ON public.pipelines (user_id);
CREATE INDEX ix_pipelines_trigger_mode ON public.pipelines (trigger_mode);
CREATE INDEX ix_pipelines_scanner_id ON public.pipelines (scanner_id);

CREATE TABLE public.executions (
  id uuid PRIMARY KEY,
  pipeline_id uuid NOT NULL REFERENCES public.pipelines (id),
  user_id uuid NOT NULL REFERENCES public.users (id),
  status executionstatus NOT NULL,
  mode varchar(20) NOT NULL DEFAULT 'paper',
  symbol varchar(20),
  result jsonb,
  pipeline_state jsonb,
  error_message text,
  cost double precision NOT NULL DEFAULT 0,
  execution_phase varchar(20) NOT NULL DEFAULT 'execution',
  next_check_at timestamp,
  monitor_interval_minutes double precision,
  version integer NOT NULL DEFAULT 1,
  started_at timestamp,
  completed_at timestamp,
  created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'));
CREATE INDEX ix_executions_pipeline_id ON public.executions (pipeline_id);
CREATE INDEX ix_executions_user_id ON public.executions (user_id);
CREATE INDEX ix_executions_status ON public.executions (status);
CREATE INDEX ix_executions_pipeline_status ON public.executions (pipeline_id, status);
CREATE INDEX ix_executions_user_status ON public.executions (user_id, status);
CREATE INDEX ix_executions_status_started ON public.executions (status, started_at);
CREATE INDEX ix_executions_status_created ON public.executions (status, created_at);
CREATE INDEX ix_executions_pipeline_completed ON public.executions (pipeline_id, completed_at);
