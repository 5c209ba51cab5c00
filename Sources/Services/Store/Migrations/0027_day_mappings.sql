-- An entry kept the accounts of the mapping that was in effect when its order came, and nothing told which that was: a
-- mapping that was edited during the day changed the orders after it only. The mapping that an entry was made with, or was
-- last tried with; null (rows of earlier versions): not known, so it is made again before its day is closed.
ALTER TABLE day_entry
    ADD COLUMN mapping_version bigint,
    -- In which turn of its day what is booked of it was booked last: 0 the summary, else the adjustment. Null: not known.
    ADD COLUMN turn integer;

-- What a day's documents held of the entries that its latest adjustment changed, before it did: an adjustment that the ledger
-- refused is made anew from it. Null: nothing.
CREATE TABLE day_entry_before (
    company   text    NOT NULL,
    site      text    NOT NULL,
    day       date    NOT NULL,
    source    text    NOT NULL,
    source_id text    NOT NULL,
    turn      integer NOT NULL,
    entry     bytea   COMPRESSION lz4,
    PRIMARY KEY (company, site, day, source)
);
