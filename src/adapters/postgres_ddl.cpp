#include "adapters/postgres_ddl.hpp"

namespace signalbox {

// SB001 and SB002 are SQLSTATEs of our own: a class that PostgreSQL does not use.
const char* const kSchemaVersion1 = R"sql(
CREATE TABLE signalbox.fences (
  group_id text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  part integer NOT NULL,
  last_timestamp_ms bigint NOT NULL,
  seq numeric(20,0) NOT NULL,
  epoch bigint NOT NULL,
  lineage text NOT NULL,
  gap bigint NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE signalbox.fences IS
  'The next Kafka offset of each partition, moved in the transaction of the data.';

CREATE FUNCTION signalbox.move_fences(
  p_group text, p_topic text[], p_partition integer[], p_is_there boolean[],
  e_next bigint[], e_part integer[], e_time bigint[], e_seq numeric[], e_epoch bigint[],
  e_lineage text[], e_gap bigint[],
  n_next bigint[], n_part integer[], n_time bigint[], n_seq numeric[], n_epoch bigint[],
  n_lineage text[], n_gap bigint[])
RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
  moved bigint := 0;
  made bigint := 0;
BEGIN
  IF true = ANY (p_is_there) THEN
    UPDATE signalbox.fences f
    SET next_offset = m.n_next, part = m.n_part, last_timestamp_ms = m.n_time, seq = m.n_seq,
        epoch = m.n_epoch, lineage = m.n_lineage, gap = m.n_gap, updated_at = now()
    FROM unnest(p_topic, p_partition, p_is_there, e_next, e_part, e_time, e_seq, e_epoch,
                e_lineage, e_gap, n_next, n_part, n_time, n_seq, n_epoch, n_lineage, n_gap)
      AS m (topic, partition, is_there, e_next, e_part, e_time, e_seq, e_epoch, e_lineage, e_gap,
            n_next, n_part, n_time, n_seq, n_epoch, n_lineage, n_gap)
    WHERE m.is_there AND f.group_id = p_group AND f.topic = m.topic AND f.partition = m.partition
      AND f.next_offset = m.e_next AND f.part = m.e_part AND f.last_timestamp_ms = m.e_time
      AND f.seq = m.e_seq AND f.epoch = m.e_epoch AND f.lineage = m.e_lineage AND f.gap = m.e_gap;
    GET DIAGNOSTICS moved = ROW_COUNT;
  END IF;
  IF false = ANY (p_is_there) THEN
    INSERT INTO signalbox.fences (group_id, topic, partition, next_offset, part,
                                  last_timestamp_ms, seq, epoch, lineage, gap)
    SELECT p_group, m.topic, m.partition, m.n_next, m.n_part, m.n_time, m.n_seq, m.n_epoch,
           m.n_lineage, m.n_gap
    FROM unnest(p_topic, p_partition, p_is_there, n_next, n_part, n_time, n_seq, n_epoch,
                n_lineage, n_gap)
      AS m (topic, partition, is_there, n_next, n_part, n_time, n_seq, n_epoch, n_lineage, n_gap)
    WHERE NOT m.is_there
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
  END IF;
  IF moved + made <> cardinality(p_topic) THEN
    RAISE EXCEPTION 'a fence is not the expected one' USING ERRCODE = 'SB001';
  END IF;
END
$body$;

CREATE FUNCTION signalbox.abandon() RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
  SET CONSTRAINTS ALL IMMEDIATE;
  RAISE EXCEPTION 'a trial that is rolled back' USING ERRCODE = 'SB002';
END
$body$;
COMMENT ON FUNCTION signalbox.abandon() IS
  'Ends a trial: reached only when everything before it passed, deferred constraints included.';

CREATE TABLE signalbox.signals (
  kind text NOT NULL,
  symbol text, side text, strategy text, status text, strength text,
  order_id text, client_order_id text, event_time timestamptz,
  price numeric, quantity numeric, confidence numeric,
  source_topic text NOT NULL, source_partition integer NOT NULL, source_offset bigint NOT NULL,
  message_time timestamptz NOT NULL, received_at timestamptz NOT NULL, payload text NOT NULL,
  PRIMARY KEY (source_topic, source_partition, source_offset, message_time)
);
COMMENT ON COLUMN signalbox.signals.kind IS 'signal, analyzer_signal or filtered_signal';
COMMENT ON COLUMN signalbox.signals.message_time IS
  'In the key because a topic that is made anew counts its offsets from 0 again.';
CREATE TABLE signalbox.orders (LIKE signalbox.signals INCLUDING INDEXES);
CREATE TABLE signalbox.executions (LIKE signalbox.signals INCLUDING INDEXES);
CREATE INDEX signals_symbol_time ON signalbox.signals (symbol, event_time DESC);
CREATE INDEX orders_symbol_time ON signalbox.orders (symbol, event_time DESC);
CREATE INDEX executions_symbol_time ON signalbox.executions (symbol, event_time DESC);
CREATE INDEX executions_order_id ON signalbox.executions (order_id);
CREATE INDEX signals_received ON signalbox.signals USING brin (received_at);
CREATE INDEX orders_received ON signalbox.orders USING brin (received_at);
CREATE INDEX executions_received ON signalbox.executions USING brin (received_at);

CREATE TABLE signalbox.dead_letters (
  lane text NOT NULL, topic text NOT NULL, partition integer NOT NULL, "offset" bigint NOT NULL,
  reason text NOT NULL, detail text NOT NULL,
  message_time timestamptz, rejected_at timestamptz NOT NULL DEFAULT now(),
  received_at timestamptz NOT NULL,
  key bytea, payload bytea, truncated_size bigint, sha256 text,
  replayed_at timestamptz, replays integer NOT NULL DEFAULT 0,
  PRIMARY KEY (lane, topic, partition, "offset")
);
COMMENT ON COLUMN signalbox.dead_letters.truncated_size IS
  'Size of the whole payload in bytes where only its head is kept.';
CREATE INDEX dead_letters_rejected ON signalbox.dead_letters (rejected_at DESC);
CREATE INDEX dead_letters_received ON signalbox.dead_letters USING brin (received_at);

CREATE TABLE signalbox.shadow_market_data (
  time timestamptz NOT NULL, symbol varchar(20) NOT NULL, timeframe varchar(5) NOT NULL,
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(28,8) NOT NULL,
  quote_asset_volume numeric(28,8), number_of_trades integer,
  taker_buy_base_asset_volume numeric(28,8), taker_buy_quote_asset_volume numeric(28,8),
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  is_closed boolean,
  PRIMARY KEY (time, symbol, timeframe)
);
COMMENT ON TABLE signalbox.shadow_market_data IS
  'What a shadow dispatcher would have written into public.market_data.';
CREATE INDEX shadow_market_data_created ON signalbox.shadow_market_data USING brin (created_at);

CREATE TABLE signalbox.open_candles (
  time timestamptz NOT NULL, symbol varchar(20) NOT NULL, timeframe varchar(5) NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (time, symbol, timeframe)
);
COMMENT ON TABLE signalbox.open_candles IS
  'Rows of public.market_data that may still change, where it has no column is_closed.';
)sql";

const char* const kMarketDataTable = R"sql(
CREATE TABLE public.market_data (
  time timestamptz NOT NULL,
  symbol varchar(20) NOT NULL CHECK (symbol ~ '^[A-Z0-9]+$'),
  timeframe varchar(5) NOT NULL CHECK (timeframe IN ('1m', '3m', '5m', '15m', '1h', '1d')),
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(28,8) NOT NULL,
  quote_asset_volume numeric(28,8), number_of_trades integer,
  taker_buy_base_asset_volume numeric(28,8), taker_buy_quote_asset_volume numeric(28,8),
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  is_closed boolean,
  PRIMARY KEY (time, symbol, timeframe),
  CHECK (high >= low AND high >= open AND high >= close AND low <= open AND low <= close)
);
CREATE INDEX market_data_symbol_time ON public.market_data (symbol, time DESC);
CREATE INDEX market_data_timeframe_time ON public.market_data (timeframe, time DESC);
CREATE INDEX market_data_symbol_timeframe_time
  ON public.market_data (symbol, timeframe, time DESC);
CREATE FUNCTION signalbox.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END
$body$;
CREATE TRIGGER market_data_touch_updated_at BEFORE UPDATE ON public.market_data
  FOR EACH ROW EXECUTE FUNCTION signalbox.touch_updated_at();
)sql";

}  // namespace signalbox
