-- A day ended at the first count of any till: a shift counted at lunch, or one register of two, closed it, and every later
-- order became an adjustment. A count ends a day where it covers all that was sold: so it is kept when and where each
-- order was made, and of what each count is. Nothing known (rows of earlier versions): any count covers the order, and the
-- count is of the whole site.
ALTER TABLE day_entry ADD COLUMN made_at timestamptz, ADD COLUMN register text, ADD COLUMN staff text;
ALTER TABLE takings
    ADD COLUMN level text CHECK (level IN ('site', 'register', 'staff_member', 'unknown')),
    -- The register's or the staff member's id.
    ADD COLUMN scope text;
