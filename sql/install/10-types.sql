-- 10-types: the row type of model versions. Names of files compare by bytes on every machine.

CREATE TYPE lmtext.model_part AS (
    file text COLLATE "C",
    part integer,
    data bytea,
    base regclass
);
COMMENT ON TYPE lmtext.model_part IS
    'row of a model version: a chunk of one of its files; a table of this type is a model version';
COMMENT ON COLUMN lmtext.model_part.file IS
    'name of the file; manifest.json describes the version. A role that may SELECT this column may use the model';
COMMENT ON COLUMN lmtext.model_part.part IS 'number of the chunk, from 0';
COMMENT ON COLUMN lmtext.model_part.data IS 'bytes of the file, at most 1 MB';
COMMENT ON COLUMN lmtext.model_part.base IS
    'empty; its default names the version that this one is built on';
