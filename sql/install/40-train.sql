-- 40-train: models made in the database. Views that show trainings are in 90-monitoring.sql.

CREATE PROCEDURE lmtext.train(name text, query text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_train';
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'trains a classifier on the rows (text, label) of a query and stores it as a new model version. For roles that are granted EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.train(text, text, jsonb) FROM PUBLIC;
