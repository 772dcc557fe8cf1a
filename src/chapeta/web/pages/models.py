"""Models and keys: providers and their keys, access keys, what is on this machine, and everything that can be called."""

from __future__ import annotations

from nicegui import ui

from chapeta.web.frame import frame, list_chats, title
from chapeta.web.models.access import AccessKeys
from chapeta.web.models.catalogue import Catalogue
from chapeta.web.models.local import Local
from chapeta.web.models.providers import Providers
from chapeta.web.services import Services

LEAD = "Your own keys, kept in this machine's keychain; they leave it only in calls to their provider."


async def show(services: Services) -> None:
    with frame("Models and keys", "/models"), ui.element("main").classes("page"):
        title("Models and keys", LEAD, "byok")
        providers = Providers(changed=lambda: catalogue.renew())
        local = Local()
        access = AccessKeys(services)
        catalogue = Catalogue()
        await providers.draw()
        await local.draw()
        await access.draw()
        await catalogue.renew()
    await list_chats(services)
