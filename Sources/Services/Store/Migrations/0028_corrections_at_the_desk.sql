-- A person's correction knows the version it was made of: one that comes later from the till takes its place.
-- When the fleet first saw the version that was corrected.
ALTER TABLE dead_letter ADD COLUMN edited_from timestamptz;
UPDATE dead_letter AS l
   SET edited_from = coalesce(
       (SELECT max(r.first_seen) FROM source_record AS r
         WHERE r.company = l.company AND r.kind = l.source_kind AND r.id = l.source_id
           AND r.first_seen <= (SELECT max(e.at) FROM dead_letter_event AS e
                                 WHERE e.letter_id = l.id AND e.action = 'edited')), l.first_seen)
 WHERE edited_body IS NOT NULL;
ALTER TABLE dead_letter ADD CHECK ((edited_body IS NULL) = (edited_from IS NULL));

-- The letter of a group that is sent ahead: the one that was tried least.
CREATE INDEX dead_letter_probe ON dead_letter (group_id, replays, id) WHERE state = 'open';

-- Who looks after a cause looks after this occurrence of it, not the next.
UPDATE dead_letter_group SET assignee = NULL WHERE closed_at IS NOT NULL;
