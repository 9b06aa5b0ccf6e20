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
SELECT folders.import('c', :'bert', '{"config.json": {"architectures": ["BertForMultipleChoice"]}}');
SELECT folders.import('c', :'bert', '{"config.json": {"architectures": ["BertForMultipleChoice"]}}',
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
SELECT folders.import('c', :'bert', '{"model.safetensors": null, "onnx/model.onnx": "x"}');
SELECT folders.import('c', :'bert', '{"config.json": null, "model.safetensors": null, "model.gguf": "GGUF"}');
SELECT folders.import('c', :'bert', '{"tokenizer.json": null, "vocab.json": "{}"}');

-- Weights of torch.save become safetensors, from a directory and from large objects, in one file and in shards.
\set bin :source '/models/tiny/bert-bin'
SELECT lmtext.import_model('pickled', :'bin');
SELECT file FROM "pickled@1" GROUP BY file ORDER BY file COLLATE "C";
SELECT folders.import('pickled', :'bin', '{}');
SELECT lmtext.embed('The cat', 'pickled@1') = lmtext.embed('The cat', 'pickled@2') AS same;
SELECT lmtext.import_model('pickled', :'bin', '{"precision": "int8"}');
SELECT cardinality(lmtext.embed('The cat', 'pickled@3'));
\set bin :source '/models/tiny/bert-bin-sharded'
SELECT lmtext.import_model('sharded', :'bin');
SELECT file FROM "sharded@1" GROUP BY file ORDER BY file COLLATE "C";
SELECT folders.import('c', :'bin', '{"pytorch_model.bin.index.json": {"weight_map": {"x": "../pytorch_model-1.bin"}}}');

SELECT lmtext.import_model('whole_file', :'bert');

-- Without tokenizer.json, vocab.txt makes the tokenizer that the class would make; a BPE model has merges.
SELECT folders.import('c', :'bert', '{"tokenizer.json": null, "vocab.txt": "[PAD]"}');
SELECT folders.import('lines', :'bert', jsonb_build_object('tokenizer.json', NULL, 'vocab.txt', string_agg(key, E'\n' ORDER BY value::int)))
FROM jsonb_each_text(pg_read_file(:'bert' || '/tokenizer.json')::jsonb->'model'->'vocab');
SELECT lmtext.tokenize('The cat, [MASK]!', 'lines') = lmtext.tokenize('The cat, [MASK]!', 'whole_file') AS same;
SELECT lmtext.embed('The cat, [MASK]!', 'lines') = lmtext.embed('The cat, [MASK]!', 'whole_file') AS same;
SELECT folders.import('merges', :'bert', '{"tokenizer_config.json": null, "tokenizer.json":
    {"normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null, "added_tokens": [],
     "model": {"type": "BPE", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "a": 5, "b": 6,
     "ab": 7, "abab": 8}, "merges": ["a b", ["ab", "ab"]]}}}');
SELECT folders.import('merges', :'bert', '{"tokenizer_config.json": null, "tokenizer.json":
    {"normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null, "added_tokens": [],
     "model": {"type": "BPE", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "a": 5, "b": 6,
     "ab": 7, "abab": 8}, "merges": ["a b", "ab ab"]}}}');
SELECT lmtext.tokenize('ababab bax', 'merges');
SELECT cardinality(lmtext.embed('ababab bax', 'merges'));

-- Another family, bare and as sentence-transformers writes it: vectors are the reference's.
\set distilbert :source '/models/tiny/distilbert'
\set distilbert_sentence :source '/models/tiny/distilbert-st6'
SELECT lmtext.import_model('d', :'distilbert'), lmtext.import_model('ds', :'distilbert_sentence');
SELECT name, family, task, dimensions, max_tokens FROM lmtext.models WHERE family = 'distilbert' ORDER BY name;
SELECT name, count(*), max(abs(e - w::text::float8)) < 1e-5 AS near
FROM (VALUES ('d', :'distilbert'), ('ds', :'distilbert_sentence')) AS model(name, folder),
     jsonb_array_elements(pg_read_file(folder || '/golden.json')::jsonb->'texts'->'cases') AS text,
     LATERAL (SELECT lmtext.embed(text->>'text', name)) AS embedding(vector),
     LATERAL ROWS FROM (unnest(vector), jsonb_array_elements(text->'embedding')) AS number(e, w)
GROUP BY name ORDER BY name;
SELECT lmtext.quantize('d', 'int8');
SELECT cardinality(lmtext.embed('a text', 'd@2')), min_cosine > .9 AS near FROM (SELECT 1) AS one,
    LATERAL (SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b)) AS min_cosine
             FROM unnest(lmtext.embed('a text', 'd@1'), lmtext.embed('a text', 'd@2')) AS pair(a, b)) AS cosine;
SELECT folders.import('c', :'distilbert', '{"config.json": {"architectures": ["DistilBertForMultipleChoice"]}}');
SELECT folders.import('c', :'distilbert', '{"config.json": {"n_heads": 5}}');

-- BERT's kin, whatever their positions, widths and layers are, and modules behind pooling.
\set tiny :source '/models/tiny/'
SELECT lmtext.import_model(replace(f, '-', '_'), :'tiny' || f)
FROM unnest('{roberta,roberta-xlm-st6,electra,ernie,albert,mpnet-st6,roformer,big_bird,longformer,bert-st6-labse,
    distilbert-st6-distiluse,bert-st6-steps,bert-st5-flags}'::text[]) f;
SELECT name, family, dimensions, max_tokens FROM lmtext.models
WHERE name ~ '^(roberta|electra|ernie|albert|mpnet|roformer|big_bird|longformer|(distil)?bert_st)' ORDER BY name;
SELECT f, count(*), max(abs(e - w::text::float8)) < 1e-5 AS near
FROM unnest('{roberta,roberta-xlm-st6,electra,ernie,albert,mpnet-st6,roformer,big_bird,longformer,bert-st6-labse,
    distilbert-st6-distiluse,bert-st6-steps,bert-st5-flags}'::text[]) f,
    jsonb_array_elements(pg_read_file(:'tiny' || f || '/golden.json')::jsonb->'texts'->'cases') AS text,
    LATERAL (SELECT lmtext.embed(text->>'text', replace(f, '-', '_'), prompt_name => text->>'prompt_name')) AS embedding(vector),
    LATERAL ROWS FROM (unnest(vector), jsonb_array_elements(text->'embedding')) AS number(e, w)
GROUP BY f ORDER BY f;
SELECT lmtext.quantize(f, 'int8') FROM unnest('{albert,mpnet_st6,bert_st6_steps}'::text[]) f;
SELECT f, dimensions, cosine > .99 AS near
FROM unnest('{albert,mpnet_st6,bert_st6_steps}'::text[]) f JOIN lmtext.models ON name = f AND version = 2,
    LATERAL (SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b)) AS cosine
             FROM unnest(lmtext.embed('a text', f || '@1'), lmtext.embed('a text', f || '@2')) AS pair(a, b)) AS both_ways
ORDER BY f;
SELECT DISTINCT file FROM "bert_st6_labse@1" WHERE file LIKE '2%' ORDER BY file;
SELECT folders.import('c', :'tiny' || 'longformer-token', '{"config.json": {"architectures": ["LongformerForSequenceClassification"]}}');
-- Heads that were never trained: for answers and, by tokens that see all, for texts.
SELECT folders.import('c', :'tiny' || 'big_bird', '{"config.json": {"architectures": ["BigBirdForQuestionAnswering"]}}');
SELECT folders.import('c', :'tiny' || 'longformer-token', '{"config.json": {"architectures": ["LongformerForQuestionAnswering"]}}');
SELECT folders.import('c', :'tiny' || 'albert', '{"config.json": {"num_hidden_groups": 2}}');
SELECT folders.import('c', :'tiny' || 'roberta', '{"config.json": {"max_position_embeddings": 2}}');
SELECT folders.import('c', :'sentence', '{"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_CNN", "type": "sentence_transformers.models.CNN"}]}');
SELECT folders.import('c', :'sentence', '{"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}],
    "2_Dense/config.json": {"in_features": 20, "out_features": 7, "activation_function": "torch.nn.modules.activation.Softmax"}}');
-- Families with rotary or relative positions, gates, windows: vectors are the reference's, also from files in older words.
CREATE TABLE folders.newer(name text, folder text);
INSERT INTO folders.newer SELECT f, :'source' || '/models/tiny/' || f
FROM unnest('{modernbert,modernbert-old,deberta-v2,deberta-v2-one-way,t5,t5-st6,mt5,qwen3,qwen3-st6,qwen3-both-sides,qwen2,llama,mistral,gemma3,
              gemma3-both-sides,eurobert,nomic_bert,nomic_bert-authors,nomic_bert-published,gte,gte-authors,gte_new,umt5,jina_v3,jina_v3-authors,jina_v3-published,jina_bert,jina_bert-heads3,
              mobilebert,mobilebert-st6,roberta-prelayernorm,xlm-roberta-xl,megatron-bert,rembert}'::text[]) f;
SELECT count(lmtext.import_model(name, folder)) FROM folders.newer;
SELECT name, family, dimensions, max_tokens FROM lmtext.models WHERE name IN (SELECT name FROM folders.newer) ORDER BY name;
SELECT name, count(*), max(abs(e - w::text::float8)) < 1e-5 AS near
FROM folders.newer,
     jsonb_array_elements(pg_read_file(folder || '/golden.json')::jsonb->'texts'->'cases') AS text,
     LATERAL (SELECT lmtext.embed(text->>'text', name, prompt_name => text->>'prompt_name')) AS embedding(vector),
     LATERAL ROWS FROM (unnest(vector), jsonb_array_elements(text->'embedding')) AS number(e, w)
GROUP BY name ORDER BY name;
SELECT lmtext.quantize(name, 'int8') IS NOT NULL AS quantized, count(*)
FROM folders.newer WHERE name IN ('modernbert', 'deberta-v2', 't5-st6', 'qwen3', 'gemma3', 'nomic_bert', 'umt5', 'jina_bert', 'mobilebert') GROUP BY 1;
SELECT name, min_cosine > .9 AS near FROM folders.newer,
    LATERAL (SELECT sum(a * b) / sqrt(sum(a * a) * sum(b * b)) AS min_cosine
             FROM unnest(lmtext.embed('a text', name || '@1'), lmtext.embed('a text', name || '@2')) AS pair(a, b)) AS cosine
WHERE name IN ('modernbert', 'deberta-v2', 't5-st6', 'qwen3', 'gemma3', 'nomic_bert', 'umt5', 'jina_bert', 'mobilebert') ORDER BY name;
SELECT count(DISTINCT name) AS families, bool_and('embedding' = ANY (tasks)) AS embed FROM lmtext.families
WHERE name IN (SELECT family FROM lmtext.models WHERE name IN (SELECT name FROM folders.newer));
-- What of them is not supported.
\set qwen3 :source '/models/tiny/qwen3'
\set modernbert :source '/models/tiny/modernbert'
\set modernbert_sequence :source '/models/tiny/modernbert-sequence'
\set t5 :source '/models/tiny/t5'
\set deberta :source '/models/tiny/deberta-v2'
SELECT folders.import('c', :'qwen3', '{"config.json": {"rope_scaling": {"type": "yarn", "factor": 4}}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5}}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"partial_rotary_factor": 0.5}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"use_sliding_window": true}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"layer_types": ["full_attention", "sliding_attention"]}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"num_key_value_heads": 4}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"head_dim": 9}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"architectures": ["Qwen3ForCausalLM"]}}');
SELECT folders.import('c', :'qwen3', '{"config.json": {"attention_bias": true}}');
SELECT folders.import('c', :'modernbert', '{"config.json": {"layer_types":
    ["full_attention", "sliding_attention", "full_attention", "full_attention"]}}');
SELECT folders.import('c', :'modernbert', '{"config.json": {"layer_types": ["full_attention"]}}');
SELECT folders.import('c', :'modernbert_sequence', '{"config.json": {"classifier_pooling": "late"}}');
SELECT folders.import('c', :'modernbert_sequence', '{"config.json": {"classifier_activation": "relu"}}');
SELECT folders.import('c', :'t5', '{"config.json": {"feed_forward_proj": "swiglu"}}');
SELECT folders.import('c', :'t5', '{"config.json": {"feed_forward_proj": "gated-gelu"}}');
SELECT folders.import('c', :'t5', '{"config.json": {"relative_attention_max_distance": 2}}');
\set jina :source '/models/tiny/jina_v3'
\set jina_bert :source '/models/tiny/jina_bert'
\set gte_new :source '/models/tiny/gte_new'
\set mobilebert :source '/models/tiny/mobilebert'
SELECT folders.import('c', :'jina', '{"config.json": {"lora_adaptations": ["text-matching"]}}');
-- Code is refused but for the repositories whose mathematics is known.
SELECT folders.import('c', :'jina', '{"config.json": {"auto_map": {"AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel"}}}');
SELECT folders.import('c', :'jina_bert', '{"config.json": {"position_embedding_type": "absolute", "auto_map": {"AutoModel": "modeling_bert.JinaBertModel"}}}');
SELECT folders.import('c', :'jina_bert', '{"config.json": {"feed_forward_type": "original"}}');
SELECT folders.import('c', :'gte_new', '{"config.json": {"auto_map": {"AutoModel": "modeling.NewModel"}}}');
SELECT folders.import('c', :'gte_new', '{"config.json": {"rope_scaling": {"type": "linear", "factor": 2}}}');
\set nomic :source '/models/tiny/nomic_bert-published'
\set flash :source '/models/tiny/xlm_roberta_flash'
SELECT folders.import('c', :'nomic', '{"config.json": {"moe_every_n_layers": 2, "num_experts": 8}}');
SELECT folders.import('c', :'nomic', '{"config.json": {"qkv_proj_bias": true}}');
SELECT folders.import('c', :'flash', '{"config.json": {"lora_adaptations": ["text-matching"]}}');
SELECT folders.import('c', :'flash', '{"config.json": {"auto_map": {"AutoModel": "modeling_xlm_roberta.XLMRobertaModel"}}}');
-- Of a folder of sentence-transformers a second architecture does not count: gte-multilingual-base has a classifier of tokens too.
SELECT folders.import('gte_two', :'gte_new', '{"config.json": {"architectures": ["NewModel", "NewForTokenClassification"]}}');
SELECT family, task FROM lmtext.models WHERE name = 'gte_two';
\set jina_heads :source '/models/tiny/jina_bert-heads3'
SELECT folders.import('c', :'jina_heads', '{"config.json": {"architectures": ["JinaBertForSequenceClassification"]}}');
SELECT folders.import('c', :'mobilebert', '{"config.json": {"normalization_type": "layer_norm"}}');
SELECT folders.import('c', :'mobilebert', '{"config.json": {"num_feedforward_networks": 5}}');
SELECT folders.import('c', :'deberta', '{"config.json": {"conv_kernel_size": 3}}');
SELECT folders.import('c', :'deberta', '{"config.json": {"share_att_key": false}}');
SELECT folders.import('c', :'deberta', '{"config.json": {"embedding_size": 20}}');
SELECT folders.import('c', :'deberta', '{"config.json": {"pos_att_type": 2}}');
SELECT folders.import('c', :'deberta', '{"config.json": {"max_relative_positions": 4}}');

DROP SCHEMA folders CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'folders';
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
