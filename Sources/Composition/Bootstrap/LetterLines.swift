import Alerting
import Domain
import Store

/// Letters as lines for people. Pure.
enum LetterLines {
    static func groups(_ groups: [LetterGroup], _ places: DeskPlaces) -> [String] {
        guard !groups.isEmpty else { return ["the desk is empty"] }
        return groups.flatMap { group -> [String] in
            let count = group.open == 1 ? "1 letter" : "\(group.open) letters"
            let moving = group.inFlight > 0 ? ", \(group.inFlight) on their way" : ""
            let facts = [
                "group \(group.id)", group.deadLetterClass,
                plain(group.organisation.isEmpty ? "-" : group.organisation),
                group.closedAt == nil ? count + moving : "closed",
                // What nobody can read has no amount, and no venue.
                group.amount == "0" ? "amount unknown" : places.money(group.amount, group.organisation),
                group.venues == 0 ? "venue unknown" : group.venues == 1 ? "1 venue" : "\(group.venues) venues",
            ]
            func time(_ instant: Instant) -> String { places.time(instant, group.organisation) }
            var since = "  since \(time(group.openedAt)), last seen \(time(group.lastSeen))"
            if let assignee = group.assignee { since += ", assigned to \(plain(assignee))" }
            if let probe = places.probe(group) { since += ", tried by itself from \(time(probe))" }
            var lines = [facts.joined(separator: "  ")]
            lines.append("  cause: \(plain(group.cause ?? group.fingerprint))")
            lines.append("  to do: \(plain(group.remedy))")
            lines.append(since)
            if group.closedAt == nil { lines.append("  $ \(command(group))") }
            return lines + [""]
        }
    }

    static func command(_ group: LetterGroup) -> String {
        GroupCommand.text(
            group.deadLetterClass, group: group.id, open: group.open, firstLetter: group.firstOpen)
    }

    private static let headings = ["letter", "group", "class", "state", "day", "venue", "number", "amount", "cause"]

    static func list(_ letters: [Letter], isFirst: Bool) -> [String] {
        let rows = letters.map { letter in
            [
                String(letter.id), String(letter.group), letter.deadLetterClass, letter.state.rawValue,
                letter.businessDate ?? "-", plain(letter.venue ?? "-"),
                plain(letter.number ?? letter.sourceID ?? "-"), letter.amount ?? "-",
                String(plain(letter.cause).prefix(100)),
            ]
        }
        return table((isFirst ? [headings] : []) + rows, rightAligned: rightAligned)
    }

    static func touched(_ touched: Touched, _ what: String) -> [String] {
        var lines = ["\(touched.count) \(touched.count == 1 ? "letter" : "letters") \(what), amount \(touched.amount)"]
        if touched.count == 0 && touched.passedOver == 0 { return ["no letter matches"] }
        if touched.passedOver > 0 {
            lines.append(
                "\(touched.passedOver) passed over: on their way, closed, or with nothing left to send (see `show`)")
        }
        return lines
    }

    /// What stands above the lists: the letter's fields.
    static func head(_ file: LetterFile, _ places: DeskPlaces) -> [String] { fields(file.letter, places) }

    static func event(_ event: LetterFile.Event, _ time: (Instant) -> String) -> [String] {
        ["\(time(event.at))  \(event.action) by \(plain(event.author))" + (event.note.map { ": \(plain($0))" } ?? "")]
    }

    static func arrival(_ arrival: LetterFile.Arrival, _ time: (Instant) -> String) -> [String] {
        let replay = arrival.replay > 0 ? ", replay \(arrival.replay)" : ""
        return [
            "\(time(arrival.at))  after \(arrival.attempts) counted attempts\(replay): \(plain(arrival.cause))",
            "  headers \(plain(arrival.headers))",
        ]
    }

    static func call(_ call: LetterFile.Call, _ time: (Instant) -> String) -> [String] {
        ["\(time(call.at))  \(call.kind), key \(plain(call.key)): \(plain(call.outcome ?? "no answer yet"))"]
    }

    /// What stands below them: the message, and what a person made of it.
    static func bodies(_ file: LetterFile) -> [String] {
        section("Message", [body(file.letter.body, isTruncated: file.letter.isTruncated)])
            + (file.editedBody.map { section(corrected(file), [body($0, isTruncated: false)]) } ?? [])
    }

    private static func corrected(_ file: LetterFile) -> String {
        "Corrected" + (file.isEditSuperseded ? ", but the order has a later version since, which is sent instead" : "")
    }

    /// A list's end where not all of it is shown.
    static func more(_ count: Int) -> [String] { count > 0 ? ["  … \(count) more, earlier: --all shows them"] : [] }

    private static func fields(_ letter: Letter, _ places: DeskPlaces) -> [String] {
        let pairs: [(String, String?)] = [
            ("letter", "\(letter.id), group \(letter.group)"), ("class", letter.deadLetterClass),
            ("state", letter.state.rawValue + (letter.outcome.map { " (\($0))" } ?? "")), ("cause", letter.cause),
            ("to do", letter.remedy), ("organisation", letter.organisation), ("company", letter.company),
            ("venue", letter.venue), ("day", letter.businessDate), ("number", letter.number),
            ("order", letter.sourceID), ("amount", letter.amount.map { places.money($0, letter.organisation) }),
            ("document", letter.document.map { "\($0)" + (letter.lacks.map { ", lacks \($0)" } ?? "") }),
            ("came from", letter.origin), ("assigned to", letter.assignee),
            ("replays", letter.replays > 0 ? String(letter.replays) : nil),
            ("corrections", letter.edits > 0 ? String(letter.edits) : nil),
            ("first seen", places.time(letter.firstSeen, letter.organisation)),
            ("last seen", places.time(letter.lastSeen, letter.organisation)),
        ]
        return pairs.compactMap { name, value in
            value.map { name + String(repeating: " ", count: 13 - name.count) + plain($0) }
        }
    }

    static func section(_ title: String, _ lines: [String]) -> [String] {
        lines.isEmpty ? [] : ["", title + ":"] + lines.map { "  " + $0 }
    }

    /// A terminal is no place for megabytes.
    private static let bodyMax = 20_000

    private static func body(_ bytes: [UInt8], isTruncated: Bool) -> String {
        let text = plain(String(decoding: bytes.prefix(bodyMax), as: UTF8.self))
        let rest = bytes.count > bodyMax ? " … \(bytes.count) bytes in all, `export` shows them" : ""
        return text + rest + (isTruncated ? " … the message was larger than the fleet takes" : "")
    }

    /// Somebody else's text must not move the cursor of a person's terminal.
    static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let value = scalar.value
                    let isControl = value < 0x20 || (0x7F...0x9F).contains(value)
                    // Marks that turn the direction of writing round.
                    let isTurning = (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
                    return isControl || isTurning ? " " : scalar
                }))
    }

    /// The letter's and the group's number, and the amount.
    private static let rightAligned: Set<Int> = [0, 1, 7]

    /// Columns in line.
    static func table(_ rows: [[String]], rightAligned: Set<Int>) -> [String] {
        guard let first = rows.first else { return [] }
        let widths = first.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let blanks = String(repeating: " ", count: max(0, widths[column] - row[column].count))
                return column == row.count - 1
                    ? row[column] : rightAligned.contains(column) ? blanks + row[column] : row[column] + blanks
            }.joined(separator: "  ")
        }
    }
}
