"""The look. Colors, sizes and spacing of Gradio's own widgets are set here; what the studio draws
itself is styled in `static/*.css` with the same variables.

System fonts only: the page must look right on a machine without a network.
"""

from __future__ import annotations

from pathlib import Path

from gradio.themes.base import Base
from gradio.themes.utils import colors, sizes

STATIC = Path(__file__).resolve().parents[1] / "static"

SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "Consolas", "monospace")

INK = colors.Color(
    name="ink",
    c50="#f7f8fa",
    c100="#eef0f4",
    c200="#dfe3ea",
    c300="#c6ccd7",
    c400="#98a1b2",
    c500="#667085",
    c600="#4b5567",
    c700="#363f4e",
    c800="#232a36",
    c900="#181d26",
    c950="#11151c",
)
BLUE = colors.Color(
    name="studio-blue",
    c50="#eff4ff",
    c100="#dfe8ff",
    c200="#c2d3fe",
    c300="#99b5fb",
    c400="#7599f5",
    c500="#4b74e6",
    c600="#2f58cd",
    c700="#2746a5",
    c800="#233c84",
    c900="#1f336a",
    c950="#141f42",
)


class StudioTheme(Base):
    """Dark on light, or light on dark; one primary button per tab."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=BLUE,
            secondary_hue=BLUE,
            neutral_hue=INK,
            spacing_size=sizes.spacing_sm,
            radius_size=sizes.radius_sm,
            text_size=sizes.text_md,
            font=SANS,
            font_mono=MONO,
        )
        self.name = "studio"
        self._surfaces()
        self._inputs()
        self._buttons()
        self._shapes()

    def _surfaces(self) -> None:
        self.set(
            body_background_fill="*neutral_50",
            body_background_fill_dark="*neutral_950",
            body_text_color="*neutral_900",
            body_text_color_dark="*neutral_100",
            body_text_color_subdued="*neutral_600",
            body_text_color_subdued_dark="*neutral_400",
            background_fill_primary="white",
            background_fill_primary_dark="*neutral_900",
            background_fill_secondary="*neutral_50",
            background_fill_secondary_dark="*neutral_800",
            border_color_primary="*neutral_200",
            border_color_primary_dark="*neutral_700",
            block_background_fill="transparent",
            block_background_fill_dark="transparent",
            block_label_background_fill="transparent",
            block_label_background_fill_dark="transparent",
            block_label_text_color="*neutral_700",
            block_label_text_color_dark="*neutral_300",
            block_title_text_color="*neutral_700",
            block_title_text_color_dark="*neutral_300",
            block_info_text_color="*neutral_600",
            block_info_text_color_dark="*neutral_400",
            error_background_fill="*neutral_50",
            error_background_fill_dark="*neutral_900",
        )

    def _inputs(self) -> None:
        self.set(
            input_background_fill="white",
            input_background_fill_dark="*neutral_950",
            input_border_color="*neutral_300",
            input_border_color_dark="*neutral_700",
            input_border_color_focus="*primary_500",
            input_border_color_focus_dark="*primary_400",
            input_placeholder_color="*neutral_500",
            input_placeholder_color_dark="*neutral_400",
            slider_color="*neutral_700",
            slider_color_dark="*neutral_300",
            checkbox_background_color_selected="*neutral_800",
            checkbox_background_color_selected_dark="*primary_400",
            checkbox_border_color_selected="*neutral_800",
            checkbox_border_color_selected_dark="*primary_400",
            checkbox_label_background_fill="transparent",
            checkbox_label_background_fill_dark="transparent",
            checkbox_label_background_fill_selected="transparent",
            checkbox_label_background_fill_selected_dark="transparent",
            checkbox_label_background_fill_hover="*neutral_100",
            checkbox_label_background_fill_hover_dark="*neutral_800",
        )

    def _buttons(self) -> None:
        self.set(
            button_primary_background_fill="*neutral_800",
            button_primary_background_fill_hover="*neutral_950",
            button_primary_background_fill_dark="*neutral_100",
            button_primary_background_fill_hover_dark="white",
            button_primary_text_color="white",
            button_primary_text_color_dark="*neutral_900",
            button_primary_text_color_hover_dark="*neutral_950",
            button_secondary_background_fill="white",
            button_secondary_background_fill_hover="*neutral_100",
            button_secondary_background_fill_dark="*neutral_800",
            button_secondary_background_fill_hover_dark="*neutral_700",
            button_secondary_border_color="*neutral_300",
            button_secondary_border_color_dark="*neutral_700",
            button_secondary_text_color="*neutral_800",
            button_secondary_text_color_dark="*neutral_100",
        )

    def _shapes(self) -> None:
        self.set(
            block_border_width="0px",
            block_border_width_dark="0px",
            block_shadow="none",
            block_shadow_dark="none",
            block_padding="0px",
            block_label_border_width="0px",
            block_label_border_width_dark="0px",
            block_label_padding="0 0 4px 0",
            block_label_text_size="*text_sm",
            block_title_text_size="*text_sm",
            block_title_text_weight="500",
            block_info_text_size="*text_sm",
            input_border_width="1px",
            input_padding="8px 10px",
            input_text_size="*text_md",
            input_shadow="none",
            input_shadow_focus="0 0 0 2px *primary_200",
            input_shadow_focus_dark="0 0 0 2px *primary_800",
            layout_gap="12px",
            form_gap_width="12px",
            section_header_text_size="*text_md",
            button_large_padding="9px 16px",
            button_large_text_size="*text_md",
            button_large_text_weight="600",
            button_small_padding="5px 10px",
            button_small_text_size="*text_sm",
            button_small_text_weight="500",
            button_medium_text_weight="500",
            button_border_width="1px",
            button_primary_border_color="transparent",
            button_primary_border_color_dark="transparent",
            button_transition="background-color 120ms ease",
            button_transform_hover="none",
            button_transform_active="none",
            checkbox_border_width="1px",
            checkbox_label_border_width="0px",
            checkbox_label_border_width_dark="0px",
            checkbox_label_padding="3px 6px 3px 0",
            checkbox_label_shadow="none",
            checkbox_label_text_size="*text_md",
            container_radius="*radius_md",
            input_radius="6px",
        )


def stylesheets() -> list[Path]:
    """Every stylesheet: what the tabs share first, then one or more for each tab."""
    return [STATIC / "studio.css", *sorted(p for p in STATIC.glob("*.css") if p.stem != "studio")]


def scripts() -> str:
    """Every script, inlined into the head: nothing is loaded from elsewhere.

    Without those that `components.page` puts before Gradio's own.
    """
    files = sorted(p for p in STATIC.glob("*.js") if p.stem not in ("first", "gradio_tree"))
    sources = [p.read_text(encoding="utf-8") for p in files]
    return "".join(f"<script>\n{source}\n</script>\n" for source in sources)
