// SPDX-License-Identifier: Apache-2.0
#include "embed.h"

namespace etl::embed {

detail::DeclaredList ChunkOptions::Options() {
  using C = ChunkOptions;
  return etl::Options(
      Option("key", &C::key, "Columns that tell the texts apart: `chunk_id` is their values (of several each behind its length, `3:abc`), `#` and the chunk's number."),
      Option("tokens", &C::tokens, "Most tokens of a chunk, without those around every text; 0 = as many as the model takes.").Range("0..1000000"),
      Option("overlap", &C::overlap, "Tokens at the end of a chunk that are also at the beginning of the next, and as many more or fewer as it takes to begin with a word, but for at = \"token\".").Range("0..1000000"),
      Option("at", &C::at, "Where a chunk ends, if its second half has such a place: at the end of a sentence or line, of a line, or just where it is full.")
          .Choices({"sentence", "line", "token"}),
      Option("text", &C::text, "New column with the chunk's own text; empty = none."));
}

detail::DeclaredList Embed::Options() {
  using E = Embed;
  return etl::Options(
      Option("model", &E::model, "Folder of the model, as the Hub lays it out: ONNX file, tokenizer.json, config.json and, for sentence-transformers, modules.json and what it names.").Path().Required(),
      Option("text", &E::text, "Column to embed, or a template of several: \"{title}. {content}\".").Required(),
      Option("output", &E::output, "New column with the vector."),
      Option("element", &E::element, "Numbers of the vector: float32; float16; int8 (127 times the number, rounded; for vectors of length 1); binary (a bit for each sign, eight in an int8).")
          .Choices({"float32", "float16", "int8", "binary"}),
      Option("on_long", &E::on_long, "Text of more tokens than the model takes: cut it off, make a row of each chunk, reject the row, or fail.")
          .Choices({"truncate", "chunk", "reject", "fail"}),
      Option("chunk", &E::chunk, "How on_long = \"chunk\" cuts.  It adds the columns chunk_id, chunk (from 0) and chunks (how many the text has)."),
      Option("cut_column", &E::cut_column, "New column that says whether the text was cut off; empty = none."),
      Option("on_empty", &E::on_empty, "Null, or a text of spaces and control characters alone or without any token: a null vector, one of zeros, what the model makes of no text, reject the row, or fail.")
          .Choices({"null", "zero", "embed", "reject", "fail"}),
      Option("on_invalid_utf8", &E::on_invalid_utf8, "Text that is not UTF-8: error rejects its row, replace embeds it with U+FFFD.").Choices({"error", "replace"}),
      Option("cache", &E::cache, "SQLite file that keeps vectors from run to run: a text that is in it costs the model nothing.").Path(),
      Option("cache_limit", &E::cache_limit, "Most bytes of the cache; vectors that were used longest ago make room.").Range("1MiB..1024GiB").Tuning(),
      Option("file", &E::file, "ONNX file in the folder; model.onnx or onnx/model.onnx if not given."),
      Option("max_tokens", &E::max_tokens, "Most tokens of a text, those around every text included; 0 = as the model's folder says.").Range("0..1000000"),
      Option("pooling", &E::pooling, "How the tokens' vectors become one, instead of what the folder says.").Choices({"mean", "cls", "max", "last"}),
      Option("normalize", &E::normalize, "Scale vectors to length 1, instead of what the folder says."),
      Option("prefix", &E::prefix, "Put before each text, instead of what the folder says."),
      Option("prompt", &E::prompt, "Name of the prefix in config_sentence_transformers.json, instead of the default one."),
      Option("model_output", &E::model_output, "Output of the model to take; the first that fits if empty.").Advanced(),
      Option("sha256", &E::sha256, "SHA-256 that the ONNX file must have; of a model in several files, of their SHA-256 one behind the other: the ONNX file's, then the others' by name.").Advanced(),
      Option("allow", &E::allow, "What the model may reach for: weights in other files of its folder, operators that ONNX Runtime lacks.")
          .Choices({"external_data", "custom_ops"}).Advanced(),
      Option("custom_ops_library", &E::custom_ops_library, "Library with those operators.").Path().Advanced(),
      Option("provider", &E::provider, "Execution provider of ONNX Runtime: cpu, cuda, openvino ...; auto takes cuda if it is there, else cpu.").Advanced(),
      Option("provider_options", &E::provider_options, "What that provider is told, by its own names.").Advanced(),
      Option("precision", &E::precision, "bf16: computes in bfloat16 on the CPU, by the provider openvino.").Choices({"model", "bf16"}).Advanced(),
      Option("runtime", &E::runtime, "libonnxruntime.so or its folder; found in the usual places if not given.").Path().Advanced(),
      Option("window", &E::window, "Texts that are sorted together by length.").Range("1..1000000").Tuning().Advanced(),
      Option("batch_tokens", &E::batch_tokens, "Most tokens of a call to the model, padding included; 0 = measured.").Range("0..10000000").Tuning().Advanced(),
      Option("sessions", &E::sessions, "Calls to the model at once; 0 = measured.").Range("0..1024").Tuning().Advanced(),
      Option("threads", &E::threads, "Threads inside a call; 0 = measured.").Range("0..1024").Tuning().Advanced(),
      Option("linger", &E::linger, "Longest wait for more texts while the model has nothing to do.").Range("0s..1h").Tuning().Advanced());
}

}  // namespace etl::embed
