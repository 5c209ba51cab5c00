import Alerting
import Domain
import Foundation
import Testing

/// Hours after the start of the story, 2026-11-25 00:00 UTC (11:00 in Sydney).
func at(_ hours: Int, _ minutes: Int = 0) -> Instant {
    Instant(secondsSince1970: Int64(CalendarDate(year: 2026, month: 11, day: 25).daysSince1970) * 86_400)
        .adding(seconds: Int64(hours * 3600 + minutes * 60))
}

let harbour = OrganisationKey("harbour")

func zone(_ name: String) throws -> TimeZoneRules {
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)")))
    return try #require(TimeZoneRules(zoneinfo: bytes))
}

let hasZones = FileManager.default.fileExists(atPath: "/usr/share/zoneinfo/Australia/Sydney")

func group(_ id: Int64 = 1, grave: Bool = false, inHand: Bool = false) -> Concern {
    Concern(
        .deadLetterGroup, subject: "\(id)", organisation: harbour, place: "Harbour Bistro (harbour)",
        title: "12 letters on the desk: archived", cause: "Account 4010 is archived in Xero.",
        remedy: "Restore it.", command: "tillbridge dead-letters replay --group \(id) --wait", since: at(0), count: 12,
        amount: "1204.50 AUD", isGrave: grave, isInHand: inHand)
}

/// The books of alerts in memory, moved by the decision's own steps: one line an event.
struct Story {
    var policy = AlertPolicy()
    var mutes: [Mute] = []
    private(set) var known: [KnownAlert] = []
    private var lastID: Int64 = 0

    /// What is told at a moment at which `standing` is amiss, such as `opened` or `escalated@20:00` where it waits.
    mutating func look(_ now: Instant, _ standing: [Concern], blindTo: Set<AlertKind> = []) -> [String] {
        let steps = AlertDecision.steps(
            standing: standing, known: known, mutes: mutes, policy: policy, blindTo: blindTo, at: now)
        return steps.flatMap { step -> [String] in
            let index = apply(step, now)
            for notice in step.notices where notice.reason != .resolved {
                known[index].notices = notice.ordinal
                known[index].lastTold = notice.notBefore
                known[index].firstTold = known[index].firstTold ?? notice.notBefore
                if notice.reason == .escalated { known[index].escalatedAt = notice.notBefore }
            }
            return step.notices.map { notice in
                let line = notice.reason.rawValue + (notice.reachesSecondLine ? "+" : "")
                let later = "@" + notice.notBefore.description.dropFirst(5).prefix(11)
                return notice.notBefore == now ? line : line + later
            }
        }
    }

    private mutating func apply(_ step: AlertStep, _ now: Instant) -> Int {
        switch step {
        case .open(let concern, _):
            lastID += 1
            known.append(
                KnownAlert(
                    id: lastID, key: concern.key, kind: concern.kind, organisation: concern.organisation,
                    openedAt: now, lastSeen: now))
            return known.count - 1
        case .reopen(let id, _, _), .keep(let id, _, _):
            let index = place(of: id)
            known[index].lastSeen = now
            if known[index].resolvedAt != nil { (known[index].firstTold, known[index].escalatedAt) = (now, nil) }
            known[index].resolvedAt = nil
            return index
        case .resolve(let id, _):
            let index = place(of: id)
            known[index].resolvedAt = now
            return index
        }
    }

    private func place(of id: Int64) -> Int { known.firstIndex { $0.id == id } ?? 0 }
}
