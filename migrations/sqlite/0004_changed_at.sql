-- The second, since 1970-01-01 UTC, of the last change, for a strategy that takes it for a version: far too
-- coarse, and that is its lesson. Strategies that do not compare it leave it alone; 0 is long ago.
ALTER TABLE accounts ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
