"""The practice network's state, and its switch."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from ui.profile import Profile
from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, label, row


class NetworkRow(QWidget):
    """Call `refresh` when the profile has changed."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._profile = profile
        self._words = label("", "small", wrap=True)
        self._switch = Button("", "quiet", on_click=self._toggle)
        layout = row(self, spacing=SPACE_S)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._switch)

    def refresh(self) -> None:
        running = self._profile.overview.network_running
        self._words.setText(
            tr("The practice network is running on this computer.")
            if running
            else tr("The practice network is not running. Chats are answered by this computer meanwhile.")
        )
        self._switch.setText(tr("Stop the network") if running else tr("Start the network"))
        self._switch.setEnabled(True)

    def _toggle(self) -> None:
        self._switch.setEnabled(False)
        if self._profile.overview.network_running:
            self._profile.stop_network()
        else:
            self._words.setText(tr("Starting the practice network…"))
            self._profile.start_network()
