-- Since when the fleet knows of a trading day: an old day that was read just now is not late, and has as long as any other
-- to be counted.
ALTER TABLE venue_day ADD COLUMN met_at timestamptz NOT NULL DEFAULT now();

-- Of a refund order inside of a summary: the id of the sale it gives back, so that no more is given back than was sold.
ALTER TABLE day_entry ADD COLUMN gives_back text;
CREATE INDEX day_entry_giving_back ON day_entry (company, gives_back) WHERE gives_back IS NOT NULL;
