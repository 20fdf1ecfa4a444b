-- public.market_data as the original stack makes it, with its triggers; what is there is replaced.
DROP TABLE IF EXISTS public.market_data CASCADE;
CREATE TABLE public.market_data (
  time timestamptz NOT NULL,
  symbol varchar(20) NOT NULL CHECK (symbol ~ '^[A-Z0-9]+$'),
  timeframe varchar(5) NOT NULL CHECK (timeframe IN ('1m', '3m', '5m', '15m', '1h', '1d')),
  open numeric(20,8) NOT NULL, high numeric(20,8) NOT NULL, low numeric(20,8) NOT NULL,
  close numeric(20,8) NOT NULL, volume numeric(28,8) NOT NULL,
  quote_asset_volume numeric(28,8), number_of_trades integer,
  taker_buy_base_asset_volume numeric(28,8), taker_buy_quote_asset_volume numeric(28,8),
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
  PRIMARY KEY (time, symbol, timeframe),
  CHECK (high >= low AND high >= open AND high >= close AND low <= open AND low <= close)
);
CREATE INDEX ON public.market_data (symbol, time DESC);
CREATE INDEX ON public.market_data (timeframe, time DESC);
CREATE INDEX ON public.market_data (symbol, timeframe, time DESC);

CREATE OR REPLACE FUNCTION public.touch_market_data() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.updated_at = now();
  RETURN NEW;
END $body$;
CREATE TRIGGER touch_market_data BEFORE UPDATE ON public.market_data
  FOR EACH ROW EXECUTE FUNCTION public.touch_market_data();

-- The analyzer's trigger: each row is told.
CREATE OR REPLACE FUNCTION public.tell_market_data() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM pg_notify('market_data_change', json_build_object('symbol', NEW.symbol,
    'timeframe', NEW.timeframe, 'time', extract(epoch FROM NEW.time), 'action', TG_OP)::text);
  RETURN NEW;
END $body$;
CREATE TRIGGER tell_market_data AFTER INSERT OR UPDATE ON public.market_data
  FOR EACH ROW EXECUTE FUNCTION public.tell_market_data();
