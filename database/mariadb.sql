-- Run once, by root, when MariaDB makes a new volume for the compose lab: what the lab's user needs for
-- `racy explore`, beyond all rights on its own database `racy`, which the image has given it.

-- Databases of the explorer's own, which it makes, fills and drops.
GRANT CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, SELECT, INSERT, UPDATE, DELETE
    ON `racy\_explore\_%`.* TO 'racy'@'%';

-- To see who waits for a lock: InnoDB's status report and its tables of transactions, and the list of processes.
-- MariaDB has no smaller right for them.
GRANT PROCESS ON *.* TO 'racy'@'%';
