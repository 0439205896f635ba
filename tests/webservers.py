"""nginx, lighttpd and Apache in front of restante: as HTTP proxy, over FastCGI, and by CGI. Each
runs in a temporary folder of its own, in the foreground, without root's help."""

import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

from tests.mailserver import ports, unprivileged

_NGINX = """
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ {inside} }}
  }}
}}
"""
_NGINX_PROXY = """
      proxy_pass http://{target};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host:$server_port;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
"""
_NGINX_FASTCGI = """
      fastcgi_pass {target};
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param SCRIPT_NAME "";
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param SERVER_NAME $server_name;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_param REQUEST_SCHEME $scheme;
      fastcgi_param HTTPS $https if_not_empty;
"""

_LIGHTTPD = """
server.document-root = "{folder}/empty"
server.errorlog = "{folder}/error.log"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{folder}")
server.http-parseopts = ("url-path-2f-decode" => "disable")
server.modules = ({modules})
{inside}
"""

_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
{inside}
"""

# The program that a web server starts for CGI: restante with its configuration.
_CGI = """#!/bin/sh
RESTANTE_CONFIG='{config}' exec '{binary}'
"""


class WebServer:
    """`program`: nginx, lighttpd or apache2. `way`: "http" (`target` is 127.0.0.1:port), "fastcgi"
    (`target` is 127.0.0.1:port or unix:/path), "cgi" (`target` is a Restante; not for nginx, which
    starts no programs)."""

    def __init__(self, program, way, target):
        self.program, self.way = program, way
        self.folder = Path(tempfile.mkdtemp(prefix=f"{program}-", dir="/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "empty").mkdir()
        self.port = ports.free()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        make = {"nginx": self._nginx, "lighttpd": self._lighttpd, "apache2": self._apache}[program]
        self._command = make(target)
        unprivileged.own(self.folder)
        self._process = None

    def start(self):
        # CGI programs read the private keys and database of the service, so they run as we do.
        with open(self.folder / "output.log", "wb") as log:
            self._process = unprivileged.start(self._command, as_user=self.way != "cgi",
                                               stdout=log, stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        problem = self.log()
        self.stop()
        raise RuntimeError(f"{self.program} does not start:\n{problem}")

    def stop(self):
        if self._process:
            unprivileged.stop(self._process)
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def log(self):
        return "".join((self.folder / name).read_text(errors="replace")
                       for name in ("output.log", "error.log") if (self.folder / name).exists())

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def _cgi_program(self, restante):
        from tests.harness import BINARY
        path = self._write("restante.cgi", _CGI.format(config=restante.config, binary=BINARY))
        os.chmod(path, 0o755)
        return path

    def _nginx(self, target):
        inside = {"http": _NGINX_PROXY, "fastcgi": _NGINX_FASTCGI}[self.way].format(target=target)
        config = self._write("nginx.conf", _NGINX.format(folder=self.folder, port=self.port,
                                                         inside=inside))
        return ["/usr/sbin/nginx", "-e", f"{self.folder}/error.log", "-p", str(self.folder), "-c",
                config]

    def _lighttpd(self, target):
        if self.way == "http":
            modules = '"mod_proxy"'
            host, _, port = target.rpartition(":")
            inside = f'proxy.server = ("" => (("host" => "{host}", "port" => {port})))'
        elif self.way == "fastcgi":
            modules = '"mod_fastcgi"'
            host, _, port = target.rpartition(":")
            place = f'"socket" => "{target[5:]}"' if target.startswith("unix:") else \
                f'"host" => "{host}", "port" => {port}'
            inside = (f'fastcgi.server = ("/" => (({place}, "check-local" => "disable", '
                      '"fix-root-scriptname" => "enable")))')
        else:
            modules = '"mod_alias", "mod_cgi", "mod_rewrite"'
            program = self._cgi_program(target)
            inside = (f'url.rewrite-once = ("^/(.*)$" => "/cgi/$1")\n'
                      f'alias.url = ("/cgi" => "{program}")\n'
                      'cgi.assign = (".cgi" => "")\n')
        config = self._write("lighttpd.conf", _LIGHTTPD.format(
            folder=self.folder, port=self.port, modules=modules, inside=inside))
        return ["/usr/sbin/lighttpd", "-D", "-f", config]

    def _apache(self, target):
        modules = "/usr/lib/apache2/modules"
        if self.way == "http":
            inside = (f"LoadModule proxy_module {modules}/mod_proxy.so\n"
                      f"LoadModule proxy_http_module {modules}/mod_proxy_http.so\n"
                      f"ProxyPreserveHost On\nProxyPass / http://{target}/ nocanon\n"
                      "AllowEncodedSlashes NoDecode\n")
        elif self.way == "fastcgi":
            place = f"{target}|fcgi://localhost" if target.startswith("unix:") else \
                f"fcgi://{target}"
            inside = (f"LoadModule proxy_module {modules}/mod_proxy.so\n"
                      f"LoadModule proxy_fcgi_module {modules}/mod_proxy_fcgi.so\n"
                      f"LoadModule env_module {modules}/mod_env.so\n"
                      # not `nocanon`: Apache 2.4.71 then refuses every query
                      f'ProxyPass "/" "{place}/"\nAllowEncodedSlashes NoDecode\n'
                      # Apache hides passwords from programs unless told so.
                      "<Location />\nCGIPassAuth On\n</Location>\n")
        else:
            inside = (f"LoadModule cgid_module {modules}/mod_cgid.so\n"
                      f"LoadModule alias_module {modules}/mod_alias.so\n"
                      f"ScriptSock {self.folder}/cgid\n"
                      f'ScriptAlias "/" "{self._cgi_program(target)}/"\n'
                      "AllowEncodedSlashes NoDecode\n"
                      "<Location />\nCGIPassAuth On\nRequire all granted\n</Location>\n")
        config = self._write("apache.conf", _APACHE.format(folder=self.folder, port=self.port,
                                                           inside=inside))
        return ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", config]
