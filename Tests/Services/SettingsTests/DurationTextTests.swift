import Settings
import Testing

@Suite("Durations") struct DurationTextTests {
    @Test(
        "durations are read as operators write them, and written the same way",
        arguments: [
            ("200ms", Duration.milliseconds(200)), ("0s", .zero), ("5s", .seconds(5)), ("90s", .seconds(90)),
            ("10m", .seconds(600)), ("6h", .seconds(21_600)), ("3d", .seconds(259_200)),
            ("1500ms", .milliseconds(1500)),
        ])
    func both(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.render(duration) == text)
    }

    @Test(
        "the largest unit that fits is written",
        arguments: [("60s", "1m"), ("120m", "2h"), ("24h", "1d"), ("1000ms", "1s")])
    func units(text: String, expected: String) throws {
        #expect(DurationText.render(try #require(DurationText.parse(text))) == expected)
    }

    @Test(
        "what is no duration is refused",
        arguments: [
            "", "5", "s", "ms", "-5s", "-5ms", "1.5s", "5 s", "5S", "5sec", "99999999999999999999s", "1000001d",
        ])
    func refused(text: String) {
        #expect(DurationText.parse(text) == nil)
    }
}
