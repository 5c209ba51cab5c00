-- Orders of which Kounta shows a list's row and not the record. Each is tried again, after longer and longer pauses;
-- one that could not be read for long lies on the desk (told_at) and is asked for once an hour from then on.
CREATE TABLE poll_unread (
    company  text        NOT NULL,
    id       text        NOT NULL,
    -- Of the row it was asked for by: a row that has changed is asked for at once.
    row_hash bytea       NOT NULL CHECK (length(row_hash) = 32),
    cause    text        NOT NULL,
    tries    bigint      NOT NULL,
    since    timestamptz NOT NULL,
    next_try timestamptz NOT NULL,
    told_at  timestamptz,
    PRIMARY KEY (company, id)
);
