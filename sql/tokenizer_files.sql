-- What an import refuses or warns of by the files of a tokenizer, and the class that names how texts are read.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA tokenizer_files;
SET search_path = tokenizer_files;

-- Import a folder with changes: an object is merged into a JSON file, null takes the file away.
CREATE FUNCTION tokenizer_files.import(name text, folder text, changes jsonb)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE files jsonb;
BEGIN
    WITH file AS (
        SELECT f, pg_read_binary_file(folder || '/' || f) AS data FROM pg_ls_dir(folder) f WHERE f ~ '\.' AND f <> 'golden.json'
    ), changed AS (
        SELECT coalesce(f, key) AS f, CASE jsonb_typeof(value)
            WHEN 'object' THEN convert_to((coalesce(convert_from(data, 'UTF8')::jsonb, '{}') || value)::text, 'UTF8')
            WHEN 'null' THEN NULL ELSE data END AS data
        FROM file FULL JOIN jsonb_each(changes) ON f = key
    )
    SELECT jsonb_object_agg(f, lo_from_bytea(0, data)::bigint) INTO files FROM changed WHERE data IS NOT NULL;
    RETURN lmtext.import_model(name, files);
END $$;

-- transformers makes a BertTokenizer anew from the vocabulary: where tokenizer.json says otherwise there is a warning.
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"added_tokens": []}}');
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"pre_tokenizer": {"type": "Whitespace"}, "normalizer": null}}');
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"post_processor": null}}');
-- Other classes obey tokenizer.json.
SELECT tokenizer_files.import('a', :'bert', '{"tokenizer.json": {"added_tokens": []},
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": null, "sep_token": null,
                              "pad_token": null, "cls_token": null, "mask_token": null}}');

-- Tokens that only another file names, and settings that lmtext does not do.
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"additional_special_tokens": ["<image>"]}}');
SELECT tokenizer_files.import('b', :'bert', '{"special_tokens_map.json": {"additional_special_tokens": ["<image>"]}}');
SELECT tokenizer_files.import('b', :'bert', '{"added_tokens.json": {"<image>": 5}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"cls_token": "[MASK]"}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"truncation_side": "left"}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer.json": {"truncation":
    {"direction": "Left", "max_length": 8, "strategy": "LongestFirst", "stride": 0}}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"split_special_tokens": true}}');
SELECT tokenizer_files.import('b', :'bert', '{"tokenizer_config.json": {"later": 1}}');

-- The small files are kept with the model.
SELECT tokenizer_files.import('c', :'bert', '{"special_tokens_map.json": {"cls_token": "[CLS]"}, "added_tokens.json": {"[MASK]": 4}}');
SELECT DISTINCT file FROM "c@1" WHERE file ~ '_map|added' ORDER BY file;

-- Without tokenizer_class the class is that of the model_type; it makes lower case unless it is told otherwise.
SELECT tokenizer_files.import('lower', :'bert', '{"tokenizer_config.json": null}');
SELECT lmtext.embed('The CAT', 'lower') = lmtext.embed('the cat', 'lower') AS lower_case;

-- 0.2 did not ask config.json, and the manifests of its versions do not say so: they read texts as before.
SELECT tokenizer_files.import('old', :'bert', '{"tokenizer_config.json": null, "tokenizer.json": {"normalizer":
    {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": false, "lowercase": false}}}');
SELECT lmtext.token_ids('The CAT', 'old') = lmtext.token_ids('the cat', 'old') AS lower_case;
UPDATE "old@1" SET data = (
    SELECT convert_to(((m - 'implied_class') || jsonb_build_object('digest', encode(sha256(convert_to(
        'lmtext 1' || chr(10) || 'max_tokens ' || (m->>'max_tokens') || chr(10) || (
            SELECT string_agg(format('file %s %s %s %s', octet_length(f->>'name'), f->>'name', f->>'size', f->>'sha256')
                              || chr(10), '' ORDER BY f->>'name' COLLATE "C")
            FROM jsonb_array_elements(m->'files') f), 'UTF8')), 'hex')))::text, 'UTF8')
    FROM (SELECT convert_from(data, 'UTF8')::jsonb) AS manifest(m))
WHERE file = 'manifest.json';
SELECT lmtext.unload_model('old@1');
SELECT lmtext.token_ids('The CAT', 'old') = lmtext.token_ids('the cat', 'old') AS lower_case;
SELECT lmtext.quantize('old', 'bf16');
SELECT lmtext.token_ids('The CAT', 'old@2') = lmtext.token_ids('the cat', 'old@2') AS lower_case;

DROP SCHEMA tokenizer_files CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'tokenizer_files';
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
