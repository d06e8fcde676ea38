-- What the compose lab's user needs for `racy explore`. MySQL runs this once, as root, when it
-- makes the volume. The image has already granted the user all rights on its own database, `racy`.

-- The explorer makes, fills and drops databases of its own.
GRANT CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, SELECT, INSERT, UPDATE, DELETE
    ON `racy\_explore\_%`.* TO 'racy'@'%';

-- To see which client waits for a lock: on a row, by name, on a table's metadata.
GRANT SELECT ON performance_schema.data_locks TO 'racy'@'%';
GRANT SELECT ON performance_schema.data_lock_waits TO 'racy'@'%';
GRANT SELECT ON performance_schema.metadata_locks TO 'racy'@'%';
GRANT SELECT ON performance_schema.threads TO 'racy'@'%';
-- To name what is switched off if a wait is not seen.
GRANT SELECT ON performance_schema.setup_instruments TO 'racy'@'%';
GRANT SELECT ON performance_schema.setup_consumers TO 'racy'@'%';
