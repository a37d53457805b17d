"""VariationStrip: what was made from this init image, newest first, with the running picture before them."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QSize, Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QLabel, QListView, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.core.variation import Variation
from desktop_app.studio.document import Document
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.studio.jobs import Job, JobQueue
from desktop_app.studio.qimage import to_qimage
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.job_texts import progress_text, share_done
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import CellFacts, Index, ThumbnailDelegate

SIDE = 96
MAX_SHOWN = 200
