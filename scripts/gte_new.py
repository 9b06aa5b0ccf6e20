"""GTE as its authors publish it (model_type "new"), for make-golden.py: the library's GTE with positions stretched by NTK.

Their code is not used. Written from what is published of it: Su 2023 (https://kexue.fm/archives/9706), equation 6, where the
base is multiplied by the factor and each angle divided by factor^(2 / d), as vLLM's NTKScalingRotaryEmbedding has it too;
the settings of Alibaba-NLP/gte-base-en-v1.5 and gte-multilingual-base.
"""
import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

GteNewConfig, GteNewModel = transformers.GteConfig, transformers.GteModel
GteNewForMaskedLM = transformers.GteForMaskedLM
GteNewForSequenceClassification = transformers.GteForSequenceClassification


def stretched(config, device=None, **_):
    """Angles of a position, and what sines and cosines are multiplied by."""
    rope = config.rope_parameters
    width, factor = config.hidden_size // config.num_attention_heads, rope["factor"]
    powers = torch.arange(0, width, 2, dtype=torch.int64).float().to(device) / width
    return 1 / (rope["rope_theta"] * factor) ** powers / factor ** (2 / width), 1.0


ROPE_INIT_FUNCTIONS["ntk"] = stretched


def as_published(config):
    """A config.json in the words of its authors' files."""
    code = "Alibaba-NLP/new-impl--"
    rope = config.pop("rope_parameters")
    name, = config["architectures"]
    config.update(
        model_type="new", architectures=[name.replace("Gte", "New")], rope_theta=rope["rope_theta"],
        rope_scaling={"factor": rope["factor"], "type": "ntk"} if "factor" in rope else None,
        layer_norm_type="layer_norm", position_embedding_type="rope", logn_attention_clip1=False,
        logn_attention_scale=False, pack_qkv=True, unpad_inputs=False, use_memory_efficient_attention=False,
        auto_map={"AutoConfig": code + "configuration.NewConfig", "AutoModel": code + "modeling.NewModel",
                  "AutoModelForMaskedLM": code + "modeling.NewForMaskedLM",
                  "AutoModelForSequenceClassification": code + "modeling.NewForSequenceClassification"})
