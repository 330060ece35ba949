"""The API's reference page: Swagger UI (from the package flask-swagger-ui, no internet) with openapi.yaml."""

from importlib.resources import files

from devstack.child_process import PROJECT

API = "http://127.0.0.1:8000"

_PAGE = b"""\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>notes-billing: API reference</title>
    <link rel="stylesheet" href="swagger-ui.css">
    <link rel="icon" type="image/png" href="favicon-32x32.png" sizes="32x32">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="initializer.js"></script>
  </body>
</html>
"""

# No validator badge: it would send a request to the internet.
_INITIALIZER = b"""\
window.ui = SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});
"""

_DIST = files("flask_swagger_ui") / "dist"
_FILES = {
    "/api/": ("text/html; charset=utf-8", _PAGE),
    "/api/initializer.js": ("text/javascript; charset=utf-8", _INITIALIZER),
    "/api/swagger-ui-bundle.js": ("text/javascript", (_DIST / "swagger-ui-bundle.js").read_bytes()),
    "/api/swagger-ui.css": ("text/css", (_DIST / "swagger-ui.css").read_bytes()),
    "/api/favicon-32x32.png": ("image/png", (_DIST / "favicon-32x32.png").read_bytes()),
}


def find(path: str, api: str = API) -> tuple[str, bytes] | None:
    """Return a file of the reference.

    :param path: as requested, without a query: ``/openapi.yaml``, ``/api/`` or what the page there loads.
    :param api: the address at which "Try it out" finds the API.
    :return: the content's type, and the content; None if there is no such file.
    """
    if path == "/openapi.yaml":
        # The first server is that of `make run`.
        return "application/yaml", (PROJECT / "openapi.yaml").read_text("utf-8").replace(API, api, 1).encode()
    return _FILES.get(path)
