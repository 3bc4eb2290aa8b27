import io

from fashion_demo.telling import LiveTeller, PlainTeller
from rich.console import Console


def terminal(height: int = 24) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=height)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_step_that_failed_gets_no_tick():
    console = terminal()
    teller = LiveTeller(console)
    teller.step("one")
    teller.step("two")

    teller.failed()

    assert "✓ \x1b[0mone" in printed(console)
    assert "✗ \x1b[0mtwo" in printed(console)
    assert "✓ \x1b[0mtwo" not in printed(console)


def test_the_last_step_is_ticked_when_the_story_is_done():
    console = terminal()
    teller = LiveTeller(console)
    teller.step("one")

    teller.done()

    assert "✓ \x1b[0mone" in printed(console)


def test_a_long_story_stays_readable_and_the_present_step_is_always_shown():
    console = terminal(height=10)
    teller = LiveTeller(console)
    teller.step("the present step")
    for number in range(50):
        teller.note(f"note {number}")

    shown = console.render_lines(teller._view(), pad=False)
    teller.done()

    assert any("the present step" in segment.text for line in shown for segment in line)
    assert len(shown) <= 3
    assert all(f"note {number}\n" in printed(console).replace("\x1b[0m", "") for number in range(50))


def test_without_a_terminal_a_failed_step_is_a_line(capsys):
    teller = PlainTeller()
    teller.step("one")

    teller.failed()

    assert "✗ one" in capsys.readouterr().out
