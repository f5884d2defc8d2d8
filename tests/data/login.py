"""A login for Locust's web UI, as Locust's documentation has it for --web-login: flask-login and a form."""

import os
from typing import Any

from flask import Blueprint, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust import events


class User(UserMixin):
    """Whoever knows the password."""

    id = "sre"


@events.init.add_listener
def on_init(environment: Any, **_: Any) -> None:
    """Add the form, where there is a web UI."""
    if not environment.web_ui:
        return
    blueprint = Blueprint("auth", "login", url_prefix=environment.parsed_options.web_base_path)
    environment.web_ui.login_manager.user_loader(lambda user_id: User() if user_id == User.id else None)
    environment.web_ui.app.config["SECRET_KEY"] = os.environ["CHAOS_TEST_SECRET"]
    environment.web_ui.auth_args = {"username_password_callback": "/login_submit"}

    @blueprint.route("/login_submit", methods=["POST"])
    def submit() -> Any:
        if request.form.get("password") == os.environ["CHAOS_TEST_PASSWORD"]:
            login_user(User())
            return redirect(url_for("locust.index"))
        session["auth_error"] = "Invalid username or password"
        return redirect(url_for("locust.login"))

    environment.web_ui.app.register_blueprint(blueprint)
