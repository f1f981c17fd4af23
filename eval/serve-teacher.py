"""The teacher of the static model behind an OpenAI-compatible address, for `npm run eval -- --embedder openai`:

    python eval/serve-teacher.py FOLDER PORT     # FOLDER: as models/build/teacher.py takes it
"""
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "build"))
from teacher import Teacher  # noqa: E402

# What the model was made for.
MAX_TOKENS = 256

if __name__ == "__main__":
    folder, port = sys.argv[1:3]
    teacher = Teacher(folder, threads=int(os.environ.get("THREADS", "1")))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            vectors = teacher.embed(asked["input"], MAX_TOKENS)
            data = [{"index": place, "embedding": vector.tolist()} for place, vector in enumerate(vectors)]
            answer = json.dumps({"model": asked["model"], "data": data}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
