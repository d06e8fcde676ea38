-- Run once, by root, when MySQL makes a new volume for the compose lab: what the lab's user needs for
-- `racy explore`, beyond all rights on its own database `racy`, which the image has given it.

-- Databases of the explorer's own, which it makes, fills and drops.
GRANT CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, SELECT, INSERT, UPDATE, DELETE
    ON `racy\_explore\_%`.* TO 'racy'@'%';

-- To see who waits for a lock: for a row's, for a named one, for a table's metadata.
GRANT SELECT ON performance_schema.data_locks TO 'racy'@'%';
GRANT SELECT ON performance_schema.data_lock_waits TO 'racy'@'%';
GRANT SELECT ON performance_schema.metadata_locks TO 'racy'@'%';
GRANT SELECT ON performance_schema.threads TO 'racy'@'%';
-- To say what is switched off where a wait is not seen.
GRANT SELECT ON performance_schema.setup_instruments TO 'racy'@'%';
GRANT SELECT ON performance_schema.setup_consumers TO 'racy'@'%';
