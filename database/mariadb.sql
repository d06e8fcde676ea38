-- What the compose lab's user needs for `racy explore`. MariaDB runs this once, as root, when it
-- makes the volume. The image has already granted the user all rights on its own database, `racy`.

-- The explorer makes, fills and drops databases of its own.
GRANT CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, SELECT, INSERT, UPDATE, DELETE
    ON `racy\_explore\_%`.* TO 'racy'@'%';

-- To see which client waits for a lock: InnoDB's status report, its tables of transactions, and the
-- list of processes. MariaDB has no smaller right for them.
GRANT PROCESS ON *.* TO 'racy'@'%';
