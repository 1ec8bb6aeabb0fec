"""Everything about the sandbox that a user or a test may choose, with its default."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Generation = Literal["g2", "g3"]
Outcome = Literal["completed", "voicemail", "busy", "not_picked", "failed", "dnd", "error"]
ErrorShape = Literal["auto", "message", "detail", "detail_list", "error_object", "error_string"]
Shape = Literal["auto", "g3", "g2_openapi", "g2_guide", "fx"]


class Settings(BaseModel):
    """What the sandbox does, and how it words it. `PATCH /_sandbox/settings` changes any of these while it runs.

    `generation` chooses which of the vendor's two documentation generations is spoken; every `*_shape` that is
    `auto` follows it, any other value picks one of the documented shapes whatever the generation.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    generation: Generation = "g3"
    seed: int = 7
    speed: float = Field(1.0, gt=0, description="Simulated seconds per real second.")
    api_key: str = Field("sandbox-key", min_length=1)

    # Money and allowance
    balance: Decimal = Field(Decimal(1000000), description="Credits; a patch is a top-up (or the opposite).")
    cost_per_minute: Decimal = Field(Decimal("1.00"), ge=0)
    estimated_cost_per_contact: Decimal = Field(
        Decimal("0.50"), ge=0, description="What the check before a start expects one contact to cost."
    )
    row_allowance: int = Field(100_000, ge=0, description="More rows than this in one upload: 402.")
    max_upload_bytes: int = Field(20 * 1024 * 1024, gt=0)

    # Dialling
    lines: int = Field(100, gt=0, description="Calls that the workspace can hold at the same time.")
    busy_rate: float = Field(0.10, ge=0, le=1)
    not_picked_rate: float = Field(0.22, ge=0, le=1)
    failed_rate: float = Field(0.05, ge=0, le=1)
    voicemail_rate: float = Field(0.05, ge=0, le=1, description="Share of all calls; they end `completed`.")
    forced_outcomes: dict[str, list[Outcome]] = Field(
        default_factory=dict,
        description="Number in E.164 -> outcome of each attempt; the last one repeats. Only so are there `dnd` (on the "
        "do-not-disturb register, not rung) and `error` (the platform's own failure), which are not tried again.",
    )
    callback_rate: float = Field(0.2, ge=0, le=1, description="Share of people spoken to who ask to be called back.")
    vague_callback_rate: float = Field(0.15, ge=0, le=1, description="Share of these who name no time.")
    forced_wishes: dict[str, list[tuple[str, float | None]]] = Field(
        default_factory=dict,
        description="Number in E.164 -> the words of the person in the first talk, the second, and so on, and how many "
        "seconds after it they mean; null: no time at all. No words, or no talk left: they ask for nothing.",
    )
    callback_patience_seconds: float | None = Field(
        900.0,
        ge=0,
        description="So long before and after the time that they named people pick up, and at no other. None: at any.",
    )
    platform_callbacks: Literal["none", "registered", "unannounced"] = Field(
        "none",
        description="Whether the platform calls back by itself whoever named a time. `registered`: its calls are shown "
        "from then on; `unannounced`: not before it rings.",
    )
    platform_callbacks_lost: float = Field(0.0, ge=0, le=1, description="Share of these that never come.")
    platform_callback_delay_seconds: float = Field(0.0, ge=0, description="How much later than meant they ring.")
    zones: dict[str, str] = Field(
        default={"+91": "Asia/Kolkata", "+971": "Asia/Dubai", "+44": "Europe/London", "+1": "America/New_York"},
        description="How a number begins -> where the person lives. The longest one counts; without one it is India.",
    )
    refuse_second_start: bool = Field(True, description="False: a second start dials everybody again.")

    # How long things take, in simulated seconds
    verify_seconds: float = Field(5.0, ge=0)
    verify_rows_per_second: float = Field(200.0, gt=0)
    preparing_seconds: float = Field(10.0, ge=0, description="make-call-async accepted -> calls exist.")
    cost_delay_seconds: float = Field(20.0, ge=0, description="End of a call -> its cost is on the row.")
    analysis_min_seconds: float = Field(60.0, ge=0)
    analysis_max_seconds: float = Field(900.0, ge=0)
    export_seconds: float = Field(60.0, ge=0)

    # In real seconds, whatever the speed
    recording_ttl_seconds: float = Field(86_400.0, gt=0)
    history_rate_limit: int = Field(10, gt=0, description="List requests per window.")
    history_rate_window_seconds: float = Field(60.0, ge=0, description="0 switches the limit off.")
    history_retry_after: bool = Field(False, description="Whether that 429 carries Retry-After.")
    listing_lag_seconds: float = Field(0.0, ge=0, description="/campaign/all shows states this late.")
    upload_status_lag_seconds: float = Field(0.0, ge=0)
    listing_hides: Literal["nothing", "unstarted", "all"] | list[str] = Field(
        "nothing", description="Campaigns that /campaign/all never shows; a list holds ids."
    )

    history_dates_filter: Literal["created_at", "call_time"] = Field(
        "created_at", description="What start_date and end_date compare with: the vendor does not say."
    )

    history_is_whole_by_default: bool | None = Field(
        None,
        description="What a request without dates gets. None: all calls in g3, those of 25 September 2025 in g2, whose "
        "specification has that day for a default.",
    )

    # Webhooks
    callback_origins: dict[str, str] = Field(
        default_factory=dict,
        description="Origin of a callback_url -> where it really is, as a proxy that ends TLS would pass it on: "
        "`{'https://calls.example.com': 'http://127.0.0.1:8091'}`. What is not named is sent to its own address.",
    )
    webhook_connections: int = Field(16, gt=0, description="Deliveries under way at the same time.")
    webhook_timeout_seconds: float = Field(30.0, gt=0, description="Real ones, until an answer counts as none.")
    webhook_success: Literal["auto", "200", "2xx"] = Field(
        "auto", description="Which answers end a delivery: 200 alone in g2, any 2xx in g3."
    )
    call_started_twice: bool = Field(False, description="Whether call_started comes once more when a call is ongoing.")
    all_processing_shape: Literal["short", "full"] = Field(
        "short", description="Whether all_processing_completed repeats what call_completed told: no page says."
    )
    client_analysis: dict[str, JsonValue] = Field(
        default_factory=dict, description="Your own keys of the custom analysis; none: it is not enabled."
    )

    # Wording
    error_shape: ErrorShape = "auto"
    upload_shape: Shape = "auto"
    upload_status_shape: Shape = "auto"
    upload_ready_word: Literal["auto", "completed", "ready", "draft"] = "auto"
    upload_status_for_saved_lists: bool | None = Field(None, description="None: yes in g3, 404 in g2.")
    check_balance_shape: Shape = "auto"
    check_balance_only_when_short: bool | None = Field(None, description="None: yes in g3 (else 400), no in g2.")
    make_call_shape: Shape = "auto"
    no_credits_status: Literal[400, 402] = Field(402, description="The vendor documents both for a start.")
    make_call_body: Literal["full", "minimal"] = "full"
    start_answer: Literal["full", "status_only"] = "full"
    single_call_shape: Literal["new", "old"] = "new"
    save_echoes_rows: bool | None = Field(None, description="None: yes in g3, no in g2.")
    history_total: Literal["exact", "many"] = "exact"
    transcript_as: Literal["auto", "string", "array"] = "auto"
    variables_as: Literal["auto", "names", "objects", "map", "text"] = "auto"
    smartalex: Literal["old", "new"] = Field(
        "old", description="Which of SmartAlex's documentations is spoken; the newer one has no pause or callbacks."
    )
    dnc_numbers: list[str] = Field(
        default_factory=list, description="Numbers in E.164 that SmartAlex knows as do-not-call and never dials."
    )
    forced_statuses: dict[str, JsonValue] = Field(
        default_factory=dict, description="Campaign id -> status word shown whatever the real state is."
    )

    @property
    def is_g3(self) -> bool:
        return self.generation == "g3"

    def zone_of(self, number: str) -> str:
        """Where the person of a number lives."""
        found = max((prefix for prefix in self.zones if number.startswith(prefix)), key=len, default=None)
        return "Asia/Kolkata" if found is None else self.zones[found]

    def choose(self, chosen: bool | None) -> bool:
        """A switch that is on in generation 3 and off in generation 2 unless it was set."""
        return self.is_g3 if chosen is None else chosen
