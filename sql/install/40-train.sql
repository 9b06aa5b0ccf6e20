-- 40-train: models made in the database. Views that show trainings are in 90-monitoring.sql.

CREATE PROCEDURE lmtext.train(name text, query text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_train';
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'train a classifier on the rows (text, label) of a query and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.train(text, text, jsonb) FROM PUBLIC;
