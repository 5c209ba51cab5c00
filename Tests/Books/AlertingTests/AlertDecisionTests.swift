import Alerting
import Domain
import Testing

@Suite("an alert")
struct AlertDecisionTests {
    @Test("is told once, escalated once, reminded once a period, and its end is told")
    func life() {
        var story = Story()
        #expect(story.look(at(0), []) == [])
        #expect(story.look(at(0, 1), [group()]) == ["opened"])
        #expect(story.look(at(0, 2), [group()]) == [])
        #expect(story.look(at(4), [group()]) == [])
        #expect(story.look(at(4, 1), [group()]) == ["escalated+"])
        #expect(story.look(at(8, 2), [group()]) == [])
        #expect(story.look(at(28), [group()]) == [])
        #expect(story.look(at(28, 1), [group()]) == ["reminder+"])
        #expect(story.look(at(28, 2), []) == [])
        #expect(story.look(at(28, 6), []) == ["resolved+"])
        #expect(story.look(at(28, 7), []) == [])
    }

    @Test("of a cause that comes and goes within its period is not told again")
    func flapping() {
        var story = Story()
        #expect(story.look(at(0), [group()]) == ["opened"])
        #expect(story.look(at(0, 3), []) == [], "gone for a moment is not gone")
        #expect(story.look(at(0, 4), [group()]) == [])
        #expect(story.look(at(0, 9), []) == ["resolved"])
        #expect(story.look(at(1), [group()]) == [], "the same alert goes on")
        #expect(story.look(at(1, 10), []) == ["resolved"])
        #expect(story.known.count == 1)
        #expect(story.look(at(25), [group()]) == ["opened"], "a period later it is news")
        #expect(story.known.count == 2)
    }

    @Test("that is grave and comes back after its end was told is told at once, to both lines")
    func graveAgain() {
        var story = Story()
        #expect(story.look(at(0), [group(grave: true)]) == ["escalated+"])
        #expect(story.look(at(1), []) == ["resolved+"])
        #expect(story.look(at(2), [group(grave: true)]) == ["escalated+"], "whoever was told of the end believes it")
        #expect(story.look(at(2, 1), [group(grave: true)]) == [])
        #expect(story.look(at(3), []) == ["resolved+"])
        #expect(story.look(at(4), [group(grave: true, inHand: true)]) == [], "somebody has it")
        #expect(story.known.count == 1)
    }

    @Test("that comes back harmless without a word is escalated when it turns grave, or has stood long since then")
    func harmlessAgain() {
        for grave in [true, false] {
            var story = Story()
            #expect(story.look(at(0), [group(grave: true)]) == ["escalated+"])
            #expect(story.look(at(1), []) == ["resolved+"])
            #expect(story.look(at(2), [group()]) == [])
            #expect(story.look(at(5, 59), [group()]) == [], "four hours since it was told first, not since it is back")
            if grave { #expect(story.look(at(5, 59), [group(grave: true)]) == ["escalated+"]) }
            #expect(story.look(at(6), [group()]) == (grave ? [] : ["escalated+"]))
        }
    }

    @Test("that is grave and comes back under a mute, or in quiet hours, is told when they end")
    func graveAgainLater() {
        var story = Story()
        #expect(story.look(at(0), [group(grave: true)]) == ["escalated+"])
        #expect(story.look(at(1), []) == ["resolved+"])
        story.mutes = [Mute(until: at(3))]
        #expect(story.look(at(2), [group(grave: true)]) == [])
        #expect(story.look(at(3), [group(grave: true)]) == ["escalated+"])
        #expect(story.look(at(4), []) == ["resolved+"])
        story.policy.quietHours = WeeklyHours("05:00-07:00")
        #expect(story.look(at(6), [group(grave: true)]) == ["escalated+@11-25T07:00"])
    }

    @Test("of each group is its own, and two looks at one group are one")
    func groups() {
        var story = Story()
        #expect(story.look(at(0), [group(1), group(2), group(1)]) == ["opened", "opened"])
        #expect(story.look(at(0, 1), [group(1), group(2)]) == [])
        #expect(story.look(at(0, 7), [group(2)]) == ["resolved"])
    }

    @Test("past its count or age goes to the second line at once, in one message")
    func grave() {
        var story = Story()
        #expect(story.look(at(0), [group(1, grave: true)]) == ["escalated+"])
        #expect(story.look(at(5), [group(1, grave: true)]) == [])
        var grown = Story()
        #expect(grown.look(at(0), [group()]) == ["opened"])
        #expect(grown.look(at(1), [group(grave: true)]) == ["escalated+"])
        #expect(grown.look(at(1, 1), [group(grave: true)]) == [])
    }

    @Test("that somebody has taken is not escalated")
    func inHand() {
        var story = Story()
        #expect(story.look(at(0), [group(inHand: true)]) == ["opened"])
        #expect(story.look(at(9), [group(grave: true, inHand: true)]) == [])
        #expect(story.look(at(10), [group()]) == ["escalated+"], "given up again, it is")
    }

    @Test("that is muted is told when the mute ends, if it still stands")
    func mutes() {
        for mute in [
            Mute(until: at(2)), Mute(kind: .deadLetterGroup, until: at(2)), Mute(organisation: harbour, until: at(2)),
            Mute(key: "dead_letter_group:1", until: at(2)),
        ] {
            var story = Story()
            story.mutes = [mute]
            #expect(story.look(at(0), [group()]) == [])
            #expect(story.look(at(1, 59), [group()]) == [])
            #expect(story.look(at(2), [group()]) == ["opened"])
        }
        var other = Story()
        other.mutes = [
            Mute(kind: .venueSilent, until: at(2)), Mute(organisation: OrganisationKey("lakeside"), until: at(2)),
            Mute(key: "dead_letter_group:2", until: at(2)),
        ]
        #expect(other.look(at(0), [group()]) == ["opened"])
    }

    @Test("that came and went under a mute is never told")
    func muted() {
        var story = Story()
        story.mutes = [Mute(until: at(2))]
        #expect(story.look(at(0), [group()]) == [])
        #expect(story.look(at(1), []) == [])
        #expect(story.look(at(3), []) == [])
    }

    @Test("stays as it is while its kind cannot be looked at")
    func blind() {
        var story = Story()
        #expect(story.look(at(0), [group()]) == ["opened"])
        #expect(story.look(at(1), [], blindTo: [.deadLetterGroup]) == [])
        #expect(story.look(at(2), [], blindTo: [.venueSilent]) == ["resolved"])
    }

    @Test("asked for twice with the same books is the same: a restart tells nothing twice")
    func restart() {
        var story = Story()
        #expect(story.look(at(0), [group()]) == ["opened"])
        let again = AlertDecision.steps(
            standing: [group()], known: story.known, mutes: [], policy: story.policy, at: at(0, 1))
        #expect(again.map(\.notices) == [[]])
    }
}

@Suite("quiet hours", .enabled(if: hasZones, "no tzdata here"))
struct QuietHoursTests {
    private func story() throws -> Story {
        var story = Story()
        story.policy.quietHours = WeeklyHours("22:00-07:00")
        story.policy.clock = PlaceClock(zones: [harbour: try zone("Australia/Sydney")], fallback: .utc)
        return story
    }

    @Test("hold a notice back until they end on the organisation's clock, and lose nothing")
    func held() throws {
        var story = try story()
        // 22:30 in Sydney.
        #expect(story.look(at(11, 30), [group()]) == ["opened@11-25T20:00"])
        #expect(story.look(at(12), [group()]) == [])
        #expect(story.look(at(13), []) == ["resolved@11-25T20:00"], "the end does not overtake the beginning")
    }

    @Test("count for escalation only from when somebody could know")
    func escalation() throws {
        var story = try story()
        #expect(story.look(at(11, 30), [group()]) == ["opened@11-25T20:00"])
        #expect(story.look(at(23, 59), [group()]) == [])
        #expect(story.look(at(24), [group()]) == ["escalated+"])
    }

    @Test("of what concerns no organisation follow the clock of the fleet")
    func fleet() throws {
        var story = try story()
        let concern = Concern(.handlerDown, subject: "desk", place: "", title: "", cause: "", remedy: "", command: "")
        #expect(story.look(at(11, 30), [concern]) == ["opened"])
        let late = Concern(.queueAge, subject: "x", place: "", title: "", cause: "", remedy: "", command: "")
        #expect(story.look(at(23), [concern, late]) == ["escalated+@11-26T07:00", "opened@11-26T07:00"])
    }

    @Test("end at seven on the clock on the wall, also in the night in which it changes")
    func daylightSaving() throws {
        let sydney = try zone("Australia/Sydney")
        let hours = try #require(WeeklyHours("22:00-07:00"))
        func end(_ utc: String) throws -> String? {
            hours.span(at: try #require(Instant(iso8601: utc)), in: sydney)?.ends.description
        }
        // Summer begins on 4 October 2026 at 02:00 (16:00 UTC): that night has eight hours.
        #expect(try end("2026-10-02T13:00:00Z") == "2026-10-02T21:00:00Z")
        #expect(try end("2026-10-03T13:00:00Z") == "2026-10-03T20:00:00Z")
        #expect(try end("2026-10-03T16:30:00Z") == "2026-10-03T20:00:00Z")
        // It ends on 4 April 2027 at 03:00 (16:00 UTC): ten hours.
        #expect(try end("2027-04-03T12:00:00Z") == "2027-04-03T21:00:00Z")
        #expect(try end("2027-04-03T20:30:00Z") == "2027-04-03T21:00:00Z", "06:30 on the wall is still quiet")
        #expect(try end("2027-04-03T21:00:00Z") == nil)
        #expect(try end("2026-10-03T11:30:00Z") == nil, "21:30 on the wall")
    }

    @Test("that end in the hour the clock leaps over, or has twice, end once")
    func edges() throws {
        let sydney = try zone("Australia/Sydney")
        #expect(
            sydney.instant(on: CalendarDate(year: 2026, month: 10, day: 4), minute: 150).description
                == "2026-10-03T16:30:00Z")
        #expect(
            sydney.instant(on: CalendarDate(year: 2027, month: 4, day: 4), minute: 150).description
                == "2027-04-03T16:30:00Z")
    }
}

@Suite("hours")
struct WeeklyHoursTests {
    @Test("are read, and what is no form of them is refused", arguments: [
        ("22:00-07:00", true), ("mon-fri 07:00-16:00, sat 08:00-14:00", true), ("fri-mon 17:00-02:00", true),
        ("00:00-24:00", true), ("", false), ("7-16", false), ("24:00-07:00", false), ("25:00-26:00", false),
        ("funday 07:00-16:00", false), ("mon 07:00-16:00,", false), ("07:60-08:00", false),
        ("mon tue 07:00-08:00", false),
        ("+7:00-08:00", false),
    ])
    func forms(_ text: String, _ isGood: Bool) { #expect((WeeklyHours(text) != nil) == isGood) }

    @Test("belong to the day on which they begin, past midnight too")
    func days() throws {
        let hours = try #require(WeeklyHours("fri 17:00-02:00"))
        // 27 November 2026 is a Friday.
        func isOpen(_ text: String) -> Bool { hours.span(at: Instant(iso8601: text) ?? at(0), in: .utc) != nil }
        #expect(isOpen("2026-11-27T17:00:00Z"))
        #expect(isOpen("2026-11-28T01:59:00Z"))
        #expect(!isOpen("2026-11-28T02:00:00Z"))
        #expect(!isOpen("2026-11-27T01:00:00Z"))
    }

    @Test("that follow each other without a gap are one stretch, and a week of them ends somewhere")
    func stretches() throws {
        let split = try #require(WeeklyHours("10:00-15:00, 15:00-22:00"))
        let span = try #require(split.span(at: at(16), in: .utc))
        #expect((span.begins, span.ends) == (at(10), at(22)))
        #expect(try #require(WeeklyHours("00:00-24:00")).span(at: at(16), in: .utc) != nil)
    }
}
