"""Jina's models in the words of jinaai/xlm-roberta-flash-implementation, for make-golden.py.

Their code is not used: the library's JinaEmbeddingsV3 and XLMRoberta are the references, under the settings and names that
vLLM's JinaRobertaModel reads (model_executor/models/bert_with_rope.py) and flash-attention's BERT has.
"""
import torch
import transformers

JinaEmbeddingsV3AuthorsConfig = transformers.JinaEmbeddingsV3Config
JinaEmbeddingsV3AuthorsModel = transformers.JinaEmbeddingsV3Model
XLMRobertaFlashConfig, XLMRobertaFlashModel = transformers.XLMRobertaConfig, transformers.XLMRobertaModel
XLMRobertaFlashForSequenceClassification = transformers.XLMRobertaForSequenceClassification

NAMES = (("embeddings.LayerNorm", "emb_ln"), ("attention.output.dense", "mixer.out_proj"), ("attention.output.LayerNorm", "norm1"),
         ("attention.self.query", "mixer.q_proj"), ("attention.self.key", "mixer.k_proj"),
         ("attention.self.value", "mixer.v_proj"), ("encoder.layer.", "encoder.layers."), ("intermediate.dense", "mlp.fc1"),
         ("output.dense", "mlp.fc2"), ("output.LayerNorm", "norm2"))


def with_adapters(state):
    """A matrix lies beside its adapters, two of rank 4."""
    generator = torch.Generator().manual_seed(1)
    adapted = {}
    for name, value in state.items():
        stem = "roberta." + name.removesuffix(".weight") + ".parametrizations.weight"
        if value.dim() == 2:
            adapted[stem + ".original"] = value
            adapted[stem + ".0.lora_A"] = torch.randn((2, 4, value.shape[1]), generator=generator)
            adapted[stem + ".0.lora_B"] = torch.randn((2, value.shape[0], 4), generator=generator)
        else:
            adapted["roberta." + name] = value
    return adapted


def as_published(config):
    """A config.json in the words of its authors' files, which say no model_type."""
    code = "jinaai/xlm-roberta-flash-implementation--"
    rope = config.pop("rope_parameters", None)
    name, = config["architectures"]
    for key in ("model_type", "head_dim", "is_decoder", "add_cross_attention"):
        config.pop(key, None)
    config.update(
        architectures=[name.replace("JinaEmbeddingsV3", "XLMRoberta").replace("Authors", "").replace("Flash", "")],
        auto_map={"AutoConfig": code + "configuration_xlm_roberta.XLMRobertaFlashConfig",
                  "AutoModel": code + "modeling_lora.XLMRobertaLoRA",
                  "AutoModelForSequenceClassification": code + "modeling_xlm_roberta.XLMRobertaForSequenceClassification"},
        emb_pooler=None, load_trained_adapters=False, lora_adaptations=None, lora_alpha=1, lora_dropout_p=0.0,
        lora_main_params_trainable=False, lora_rank=4, matryoshka_dimensions=None, position_embedding_type="absolute",
        truncate_dim=None, use_flash_attn=True)
    if rope:
        config.update(lora_adaptations=["retrieval.query", "retrieval.passage"], position_embedding_type="rotary",
                      rotary_emb_base=rope["rope_theta"], task_instructions={"retrieval.query": "Find: "})
