-- What an import refuses or warns of by the settings files of a folder, and what it does as sentence-transformers does.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set sentence :source '/models/tiny/bert-st5-cls'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA folders;
SET search_path = folders;

-- Import a folder with changes: an object is merged into a JSON file, a string is a file's content, null takes it away.
-- `moved` is a folder that config, tokenizer, weights and settings of the transformer are moved into.
CREATE FUNCTION folders.import(name text, folder text, changes jsonb, options jsonb DEFAULT '{}', moved text DEFAULT '')
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE files jsonb;
BEGIN
    WITH file AS (
        SELECT f, pg_read_binary_file(folder || '/' || f) AS data FROM pg_ls_dir(folder) f WHERE f ~ '\.' AND f <> 'golden.json'
        UNION ALL
        SELECT f, pg_read_binary_file(folder || '/' || f, 0, 100000, true) FROM unnest('{1_Pooling/config.json}'::text[]) f
    ), changed AS (
        SELECT coalesce(f, key) AS f, CASE jsonb_typeof(value)
            WHEN 'object' THEN convert_to((coalesce(convert_from(data, 'UTF8')::jsonb, '{}') || value)::text, 'UTF8')
            WHEN 'array' THEN convert_to(value::text, 'UTF8')
            WHEN 'string' THEN convert_to(value #>> '{}', 'UTF8')
            WHEN 'null' THEN NULL ELSE data END AS data
        FROM file FULL JOIN jsonb_each(changes) ON f = key
    )
    SELECT jsonb_object_agg(
        CASE WHEN moved <> '' AND f !~ '/|^modules|^config_sent' THEN moved || '/' || f ELSE f END,
        lo_from_bytea(0, data)::bigint)
    INTO files FROM changed WHERE data IS NOT NULL;
    RETURN lmtext.import_model(name, files, options);
END $$;

-- A classifier is no embedding model, unless it is asked for as one.
SELECT folders.import('c', :'bert', '{"config.json": {"architectures": ["BertForSequenceClassification"]}}');
SELECT folders.import('c', :'bert', '{"config.json": {"architectures": ["BertForSequenceClassification"]}}',
                      '{"task": "embedding"}');
SELECT task, dimensions FROM lmtext.models WHERE model = '"c@1"'::regclass;
SELECT cardinality(lmtext.embed('a text', 'c'));
SELECT convert_from(data, 'UTF8')::jsonb->'options' AS options FROM "c@1" WHERE file = 'manifest.json';
SELECT folders.import('c', :'bert', '{"config.json": {"architectures": ["BertForMaskedLM"]}}');
SELECT folders.import('c', :'bert', '{"config_sentence_transformers.json": {"model_type": "CrossEncoder"}}');
SELECT folders.import('c', :'bert', '{"config_sentence_transformers.json": {"model_type": "CrossEncoder"}}',
                      '{"task": "embedding"}');
SELECT folders.import('c', :'bert', '{}', '{"task": "classification"}');
SELECT folders.import('c', :'bert', '{}', '{"task": null}');

-- What lmtext does not compute is refused, also where an embedding is asked for.
SELECT folders.import('c', :'bert', '{"config.json": {"quantization_config": {"quant_method": "gptq", "bits": 4}}}',
                      '{"task": "embedding"}');
SELECT folders.import('c', :'bert', '{"config.json": {"auto_map": {"AutoModel": "modeling_x.Model"}}}',
                      '{"task": "embedding"}');
SELECT folders.import('c', :'sentence', '{"sentence_bert_config.json": {"tokenizer_args": {"padding_side": "left"}}}');
SELECT folders.import('c', :'sentence', '{"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "custom_st.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]}');
SELECT folders.import('c', :'bert', '{"adapter_config.json": {"peft_type": "LORA"}}');

-- A key that nobody knows is a warning, once each.
SELECT folders.import('k', :'sentence', '{"config.json": {"new_key": 1}, "sentence_bert_config.json": {"later": [1, 2]}}');
SELECT cardinality(lmtext.embed('a text', 'k'));
SELECT lmtext.quantize('k', 'bf16');
SELECT lmtext.drop_model('k');
SELECT folders.import('k', :'bert', jsonb_build_object('config.json', jsonb_object_agg('key_' || n, n)))
FROM generate_series(1, 20) n;

-- truncate_dim cuts the embedding behind all modules.
SELECT folders.import('whole', :'sentence', '{}');
SELECT folders.import('cut', :'sentence', '{"config_sentence_transformers.json": {"truncate_dim": 8}}');
SELECT name, dimensions FROM lmtext.models WHERE name IN ('whole', 'cut') ORDER BY name;
SELECT lmtext.embed('a text', 'cut') = (lmtext.embed('a text', 'whole'))[:8] AS cut,
       cardinality(lmtext.embed('a text', 'cut', dimensions => 3)) AS fewer;
SELECT lmtext.embed('a text', 'cut', dimensions => 9);
SELECT lmtext.quantize('cut', 'int8');
SELECT dimensions, cardinality(lmtext.embed('a text', 'cut@2')) FROM lmtext.models WHERE model = '"cut@2"'::regclass;
SELECT bool_and(ok) AS ok FROM lmtext.selftest('cut@1');
SELECT folders.import('c', :'sentence', '{"config_sentence_transformers.json": {"truncate_dim": 0}}');
-- A version of 0.2 was not cut, and its manifest does not say so: it is loaded as it was.
SELECT folders.import('old', :'sentence', '{"config_sentence_transformers.json": {"truncate_dim": 8, "similarity_fn_name": "dot"}}');
UPDATE "old@1" SET data = (
    SELECT convert_to(((m - 'truncate_dim') || jsonb_build_object('dimensions', 20, 'digest', encode(sha256(convert_to(
        'lmtext 1' || chr(10) || 'max_tokens ' || (m->>'max_tokens') || chr(10) || (
            SELECT string_agg(format('file %s %s %s %s', octet_length(f->>'name'), f->>'name', f->>'size', f->>'sha256')
                              || chr(10), '' ORDER BY f->>'name' COLLATE "C")
            FROM jsonb_array_elements(m->'files') f), 'UTF8')), 'hex')))::text, 'UTF8')
    FROM (SELECT convert_from(data, 'UTF8')::jsonb) AS manifest(m))
WHERE file = 'manifest.json';
SELECT lmtext.embed('a text', 'old') = lmtext.embed('a text', 'whole') AS as_before;

-- Paths as pathlib takes them, and the layout that models of 2020 have.
SELECT folders.import('bert0', :'sentence', '{"modules.json": [
    {"idx": 0, "name": "0", "path": "0_BERT/", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "./1_Pooling/", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]}', '{}', '0_BERT');
SELECT DISTINCT file FROM "bert0@1" ORDER BY file;
SELECT lmtext.embed('a text', 'bert0') = lmtext.embed('a text', 'whole') AS same;
SELECT max_tokens FROM lmtext.models WHERE model = '"bert0@1"'::regclass;
SELECT lmtext.quantize('bert0', 'int8');
SELECT cardinality(lmtext.embed('a text', 'bert0@2'));

-- What a file is that is not what its name says, and what is there in place of a file that is missing.
SELECT folders.import('c', :'bert', jsonb_build_object('model.safetensors',
    E'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 90868376\n'));
SELECT folders.import('c', :'bert', jsonb_build_object('tokenizer.json',
    E'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 466247\n'));
SELECT folders.import('c', :'bert', '{"config.json": "<!DOCTYPE html><html>Sign in</html>"}');
SELECT folders.import('c', :'bert', '{"model.safetensors": null, "pytorch_model.bin": "x"}');
SELECT folders.import('c', :'bert', '{"tokenizer.json": null, "vocab.txt": "[PAD]"}');

DROP SCHEMA folders CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'folders';
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
