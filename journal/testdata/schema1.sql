-- A journal as the first upstep wrote it. It never changes: every later upstep opens it.
PRAGMA application_id = 1970303860;
PRAGMA user_version = 1;

CREATE TABLE plans (
	digest   TEXT PRIMARY KEY, -- SHA-256 in hex of the document
	document BLOB NOT NULL     -- gzip
) STRICT;

CREATE TABLE runs (
	number       INTEGER PRIMARY KEY AUTOINCREMENT,
	id           TEXT NOT NULL UNIQUE,
	plan         TEXT NOT NULL, -- its name
	state        TEXT NOT NULL,
	started      INTEGER NOT NULL,
	ended        INTEGER,
	post_upgrade INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE invocations (
	run       INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	number    INTEGER NOT NULL,
	who       TEXT NOT NULL, -- JSON
	plan      TEXT REFERENCES plans,
	started   INTEGER NOT NULL,
	ended     INTEGER,
	exit_code INTEGER,
	outcome   TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX invocations_plan ON invocations (plan);

CREATE TABLE units (
	number     INTEGER PRIMARY KEY,
	run        INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	id         TEXT NOT NULL,
	state      TEXT NOT NULL,
	started    INTEGER, -- first
	began      INTEGER, -- last
	ended      INTEGER,
	seconds    REAL NOT NULL DEFAULT 0, -- of the times that it ended
	lost       REAL NOT NULL DEFAULT 0, -- of the times that it did not
	once_ended INTEGER,
	UNIQUE (run, id)
) STRICT;

CREATE TABLE starts ( -- one for each time that a unit began
	number INTEGER PRIMARY KEY,
	unit   INTEGER NOT NULL REFERENCES units ON DELETE CASCADE,
	digest TEXT NOT NULL, -- of the text that was run
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX starts_unit ON starts (unit);

CREATE TABLE hosts (
	unit    INTEGER NOT NULL REFERENCES units ON DELETE CASCADE,
	host    TEXT NOT NULL,
	start   INTEGER, -- the last of its starts
	state   TEXT NOT NULL,
	changed INTEGER NOT NULL DEFAULT 0,
	tries   INTEGER NOT NULL DEFAULT 0,
	started INTEGER,
	ended   INTEGER,
	message TEXT,
	task    TEXT, -- JSON
	stderr  TEXT,
	PRIMARY KEY (unit, host)
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
	run     INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	number  INTEGER NOT NULL,
	book    TEXT NOT NULL,
	folder  TEXT NOT NULL,
	started INTEGER NOT NULL,
	ended   INTEGER,
	offset  INTEGER NOT NULL DEFAULT 0, -- bytes of its events that are taken in
	outcome TEXT,
	PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
	number  INTEGER PRIMARY KEY AUTOINCREMENT,
	run     INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	process INTEGER,
	event   TEXT NOT NULL -- JSON
) STRICT;

CREATE INDEX events_run ON events (run);

CREATE TABLE variables (
	number INTEGER PRIMARY KEY, -- in the order in which they were set last
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	kind   TEXT NOT NULL,
	host   TEXT NOT NULL,
	name   TEXT NOT NULL,
	value  TEXT, -- JSON; none of a secret
	secret INTEGER NOT NULL,
	task   TEXT NOT NULL,
	UNIQUE (run, kind, host, name)
) STRICT;

CREATE TABLE requests (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	ask    TEXT NOT NULL,
	gate   TEXT NOT NULL,
	who    TEXT NOT NULL, -- JSON
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX requests_run ON requests (run);

CREATE TABLE skips (
	number INTEGER PRIMARY KEY,
	run    INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	unit   TEXT NOT NULL,
	host   TEXT NOT NULL, -- empty: all that had not ended
	reason TEXT NOT NULL,
	who    TEXT NOT NULL, -- JSON
	at     INTEGER NOT NULL
) STRICT;

CREATE INDEX skips_run ON skips (run);

INSERT INTO plans VALUES ('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', x'1f8b08000000000000ffabae050043bfa6a302000000');
INSERT INTO runs VALUES (3, '20261121-120000', 'queens', 'open', 1795262400000000000, NULL, 0);
INSERT INTO invocations VALUES (3, 1, '{"user":"alice","host":"ci-3","pid":4242,"version":"1.0.0","command":["upstep","run"]}',
	'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', 1795262400000000000, 1795262410000000000, 3, 'failed');
INSERT INTO units VALUES (1, 3, 'control-plane/1/step3/Controller', 'failed', 1795262401000000000, 1795262401000000000, 1795262404000000000, 0, 3, NULL);
INSERT INTO starts VALUES (1, 1, 'd1', 1795262401000000000);
INSERT INTO hosts VALUES (1, 'a', 1, 'ended', 1, 1, 1795262401000000000, 1795262402000000000, NULL, NULL, NULL);
INSERT INTO hosts VALUES (1, 'b', 1, 'failed', 0, 1, 1795262401000000000, 1795262404000000000, 'no', '{"id":"1","name":"stop","action":"service"}', 'oh');
INSERT INTO processes VALUES (3, 1, 'Controller.yml', 'runs/1', 1795262401000000000, NULL, 120, NULL);
INSERT INTO events VALUES (1, 3, 1, '{"kind":"ok","time":"2026-11-21T12:00:02Z","host":"a"}');
INSERT INTO variables VALUES (1, 3, '', 'a', 'x', '1', 0, 'u.yml:3');
INSERT INTO requests VALUES (1, 3, 'approve', 'control-plane', '{"user":"bob","host":"h","pid":1}', 1795262405000000000);
INSERT INTO skips VALUES (1, 3, 'control-plane/1/step3/Controller', 'b', 'dead', '{"user":"bob","host":"h","pid":1}', 1795262406000000000);
