#!/usr/bin/env python3
"""The HTTP interface of a modern ClickHouse on loopback, made of the engine as a library (chdb).

  modern.py --port 28123 --path DIR

Kept of the real interface: GET and POST of /?query=...&default_format=...&<setting>=...&param_x=..., the query in the URL, the body
or both, INSERT with data, /ping, FORMAT in the SQL, X-ClickHouse-{User,Key,Format,Summary,Exception-Code,Timezone}, basic
authentication, keep-alive, chunked replies while the query runs, Content-Encoding gzip, zstd and lz4,
wait_end_of_query, and errors as 'Code: N. DB::Exception: ...' with their status.
What fails behind the first block: by the parameter etl_midstream as "text" (behind the rows, status 200), "tag" (the block
__exception__ of servers since 25.11) or "cut" (the connection).
Not kept: sessions, several queries at a time, progress headers, the native protocol.
"""
import argparse, base64, gzip, json, os, re, tempfile, threading, time, zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import lz4.frame
import zstandard
from chdb import session

arguments = argparse.ArgumentParser()
arguments.add_argument('--port', type=int, required=True)
arguments.add_argument('--path', required=True)
args = arguments.parse_args()
os.makedirs(args.path, exist_ok=True)
engine = session.Session(args.path)
engine_lock = threading.Lock()
version = engine.query('select version()', 'TSV').data().strip()

USERS = {'default': '', 'etl': 'etl', 'reader': 'etl'}
NOT_SETTINGS = {'query', 'default_format', 'user', 'password', 'database', 'query_id', 'enable_http_compression', 'session_id', 'compress',
                'decompress', 'buffer_size', 'wait_end_of_query', 'http_zlib_compression_level', 'session_timeout', 'session_check',
                'quota_key', 'role', 'send_progress_in_http_headers', 'etl_midstream'}
STATUS = {60: 404, 81: 404, 62: 400, 47: 400, 46: 404, 36: 400, 115: 404, 516: 401, 159: 408, 73: 400, 164: 500}
FORMAT = re.compile(r'\bformat\s+([A-Za-z0-9]+)\s*(settings\b[^;]*)?;?\s*$', re.I)
INSERT = re.compile(r'\s*insert\s+into\s+(?:table\s+)?([\w.`"]+)\s*(\([^)]*\))?\s*format\s+(\w+)\s*$', re.I)
# The engine begins these anew with each block it streams: their header, then their like without one.
HEADED = {'rowbinarywithnamesandtypes': 'RowBinary', 'csvwithnames': 'CSV', 'tabseparatedwithnames': 'TSV', 'tsvwithnames': 'TSV'}
AT_ONCE = {'parquet', 'orc', 'arrow', 'arrowstream', 'json', 'jsoncompact', 'xml', 'jsonstrings', 'pretty', 'prettycompact'}


def literal(v):
    return v if re.fullmatch(r'-?\d+(\.\d+)?', v) else "'" + v.replace('\\', '\\\\').replace("'", "\\'") + "'"


class Plain:
    def compress(self, data): return data
    def flush(self): return b''


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *a): pass

    def reply(self, code, body, extra=()):
        self.send_response(code)
        self.send_header('Content-Type', 'text/plain; charset=UTF-8')
        self.send_header('Content-Length', str(len(body)))
        for name, value in extra: self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, message):
        found = re.search(r'Code:\s*(\d+)', message)
        code = int(found.group(1)) if found else 1002
        self.reply(STATUS.get(code, 500), (message.strip() + '\n').encode(), [('X-ClickHouse-Exception-Code', str(code))])

    def do_GET(self): self.go(b'')

    def do_POST(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', '').lower():
            body = bytearray()
            while (n := int(self.rfile.readline().split(b';')[0], 16)):
                body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
            body = bytes(body)
        else:
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        if self.headers.get('Content-Encoding') == 'gzip': body = gzip.decompress(body)
        self.go(body)

    def known(self, given):
        user = self.headers.get('X-ClickHouse-User', given.get('user', 'default'))
        password = self.headers.get('X-ClickHouse-Key', given.get('password', ''))
        header = self.headers.get('Authorization', '')
        if header.startswith('Basic '): user, _, password = base64.b64decode(header[6:]).decode().partition(':')
        if USERS.get(user) == password: return user
        self.fail(f'Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with such name. '
                  f'(AUTHENTICATION_FAILED) (version {version} (official build))')

    def go(self, body):
        url = urlsplit(self.path)
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == '/ping' or (url.path == '/' and not given and not body): return self.reply(200, b'Ok.\n')
        user = self.known(given)
        if user is None: return
        settings = [k for k in given if k not in NOT_SETTINGS]
        if user == 'reader' and any(not k.startswith('param_') for k in settings):
            return self.fail("Code: 164. DB::Exception: Cannot modify setting in readonly mode. (READONLY)")
        query = given.get('query', '')
        insert = re.match(r'\s*insert\b', query, re.I)
        if insert: head, data = query, body
        elif (m := re.match(rb'\s*insert\s+into\s+.*?\bformat\s+\w+[ \t]*\r?\n', body, re.I | re.S)) and not query:
            head, data = m.group(0).decode(), body[m.end():]
        else: head, data = (query + '\n' if query else '') + body.decode('utf-8', 'surrogateescape'), b''
        with engine_lock:
            scratch = None
            try:
                for k in settings: engine.query(f'SET {k}={literal(given[k])}')
                engine.query('USE ' + (given.get('database') or 'default'))
                m = INSERT.match(head)
                if m and data:
                    handle, scratch = tempfile.mkstemp()
                    os.write(handle, data)
                    os.close(handle)
                    engine.query(f"INSERT INTO {m.group(1)} {m.group(2) or ''} FROM INFILE '{scratch}' FORMAT {m.group(3)}")
                    return self.reply(200, b'')
                self.select(head, given)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            except Exception as e:
                self.fail(str(e))
            finally:
                if scratch: os.unlink(scratch)
                for k in settings:
                    if k.startswith('param_'): continue
                    try: engine.query(f'SET {k}=DEFAULT')
                    except Exception: pass

    def select(self, head, given):
        found = FORMAT.search(head)
        form = found.group(1) if found else self.headers.get('X-ClickHouse-Format') or given.get('default_format') or 'TabSeparated'
        sql = FORMAT.sub(lambda m: m.group(2) or '', head).strip().rstrip(';')
        began = time.time()
        if not re.match(r'\s*(select|with|show|describe|desc|explain|exists)\b', sql, re.I):
            done = engine.query(sql, form)
            return self.reply(200, bytes(done.bytes()) if done else b'')
        whole = form.lower() in AT_ONCE or given.get('wait_end_of_query') == '1'
        like = HEADED.get(form.lower())
        header = bytes(engine.query(f'select * from ({sql}) limit 0', form).bytes()) if like and not whole else b''
        walked = 0
        if whole:
            result = engine.query(sql, form)
            walked = result.storage_rows_read() if hasattr(result, 'storage_rows_read') else result.rows_read()
            blocks = iter([result])
        else:
            blocks = iter(engine.send_query(sql, like or form))
        first = next(blocks, None)
        encoding, packer = None, Plain()
        if given.get('enable_http_compression') == '1':
            accepts = self.headers.get('Accept-Encoding', '')
            if 'zstd' in accepts: encoding, packer = 'zstd', zstandard.ZstdCompressor(level=1).compressobj()
            elif 'lz4' in accepts:
                encoding, packer = 'lz4', lz4.frame.LZ4FrameCompressor()
                begin = packer.begin()
            elif 'gzip' in accepts: encoding, packer = 'gzip', zlib.compressobj(3, zlib.DEFLATED, 31)
        self.send_response(200)
        self.send_header('Content-Type', 'application/octet-stream')
        self.send_header('Transfer-Encoding', 'chunked')
        self.send_header('X-ClickHouse-Format', form)
        self.send_header('X-ClickHouse-Timezone', 'UTC')
        self.send_header('X-ClickHouse-Server-Display-Name', 'chdb')
        tag = 'etlmidstreamtest'
        if given.get('etl_midstream') == 'tag': self.send_header('X-ClickHouse-Exception-Tag', tag)
        self.send_header('X-ClickHouse-Summary', json.dumps({'read_rows': str(walked), 'elapsed_ns': str(int((time.time() - began) * 1e9))}, separators=(',', ':')))
        if encoding: self.send_header('Content-Encoding', encoding)
        self.end_headers()

        def chunk(data):
            if data: self.wfile.write(b'%x\r\n' % len(data) + data + b'\r\n')
        if encoding == 'lz4': chunk(begin)
        chunk(packer.compress(header))
        try:
            while first is not None:
                chunk(packer.compress(bytes(first.bytes())))
                first = next(blocks, None)
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as e:
            how, text = given.get('etl_midstream', 'text'), str(e).encode()
            if how == 'cut':
                self.close_connection = True
                self.connection.close()
                return
            if how == 'tag':
                text = b'\r\n__exception__\r\n' + tag.encode() + b'\r\n' + text + b'\n' + b'%d ' % (len(text) + 1) + tag.encode() + b'\r\n__exception__\r\n'
            chunk(packer.compress(text))
        chunk(packer.flush())
        self.wfile.write(b'0\r\n\r\n')


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(('127.0.0.1', args.port), Handler).serve_forever()
