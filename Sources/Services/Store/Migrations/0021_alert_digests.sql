-- A message that tells many alerts is kept under the first of them: whether it arrived was shown on that one alone. The
-- others it tells, so that what was not delivered is seen on each.
CREATE TABLE alert_digest (
    alert_id    bigint NOT NULL,
    delivery_id bigint NOT NULL,
    PRIMARY KEY (alert_id, delivery_id)
);
