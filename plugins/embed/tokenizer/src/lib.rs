// SPDX-License-Identifier: Apache-2.0
//! A C interface over the `tokenizers` crate: see etl_tokenizer.h.
use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{ptr, slice, str::FromStr};
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::Tokenizer;

#[repr(C)]
pub struct Token {
    id: u32,
    begin: u32,
    end: u32,
}

type Take = extern "C" fn(*mut c_void, *const Token, usize, *const c_char, usize);

fn reason(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".into())
}

fn make(json: &[u8], lower: bool) -> Result<Tokenizer, String> {
    std::panic::set_hook(Box::new(|_| {})); // said by the error instead; this hook is this library's own
    let text = std::str::from_utf8(json).map_err(|e| e.to_string())?;
    let mut tokenizer = Tokenizer::from_str(text).map_err(|e| e.to_string())?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
    if lower {
        let mut all = vec![NormalizerWrapper::from(Lowercase)];
        all.extend(tokenizer.get_normalizer().cloned());
        tokenizer.with_normalizer(Some(Sequence::new(all)));
    }
    Ok(tokenizer)
}

fn encode(tokenizer: &Tokenizer, text: &[u8], special: bool, offsets: bool) -> Result<Vec<Token>, String> {
    let text = String::from_utf8_lossy(text);
    let encoding = if offsets { tokenizer.encode(text.as_ref(), special) } else { tokenizer.encode_fast(text.as_ref(), special) };
    let encoding = encoding.map_err(|e| e.to_string())?;
    let places = encoding.get_offsets();
    let place = |i: usize| if offsets { places[i] } else { (0, 0) };
    Ok(encoding.get_ids().iter().enumerate().map(|(i, &id)| Token { id, begin: place(i).0 as u32, end: place(i).1 as u32 }).collect())
}

/// # Safety
/// As etl_tokenizer.h says.
#[no_mangle]
pub unsafe extern "C" fn etl_tokenizer_make(json: *const u8, size: usize, lower: i32, error: *mut u8, error_size: usize) -> *mut Tokenizer {
    let bytes = slice::from_raw_parts(json, size);
    match catch_unwind(|| make(bytes, lower != 0)).unwrap_or_else(|panic| Err(reason(panic))) {
        Ok(tokenizer) => Box::into_raw(Box::new(tokenizer)),
        Err(text) => {
            if error_size > 0 {
                let n = text.len().min(error_size - 1);
                ptr::copy_nonoverlapping(text.as_ptr(), error, n);
                *error.add(n) = 0;
            }
            ptr::null_mut()
        }
    }
}

/// # Safety
/// As etl_tokenizer.h says.
#[no_mangle]
pub unsafe extern "C" fn etl_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// As etl_tokenizer.h says.
#[no_mangle]
pub unsafe extern "C" fn etl_tokenizer_encode(
    tokenizer: *const Tokenizer, text: *const u8, size: usize, special: i32, offsets: i32, context: *mut c_void, take: Take,
) -> i32 {
    let bytes = if size == 0 { &[] } else { slice::from_raw_parts(text, size) };
    let run = AssertUnwindSafe(|| encode(&*tokenizer, bytes, special != 0, offsets != 0));
    match catch_unwind(run).unwrap_or_else(|panic| Err(reason(panic))) {
        Ok(tokens) => {
            take(context, tokens.as_ptr(), tokens.len(), ptr::null(), 0);
            1
        }
        Err(text) => {
            take(context, ptr::null(), 0, text.as_ptr() as *const c_char, text.len());
            0
        }
    }
}
