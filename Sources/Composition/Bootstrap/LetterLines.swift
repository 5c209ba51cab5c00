import Domain
import Store

/// Letters as lines for people. Pure.
enum LetterLines {
    static func groups(_ groups: [LetterGroup]) -> [String] {
        guard !groups.isEmpty else { return ["the desk is empty"] }
        var lines: [String] = []
        for group in groups {
            let organisation = group.organisation.isEmpty ? "-" : group.organisation
            let count = "\(group.open) open" + (group.inFlight > 0 ? ", \(group.inFlight) on their way" : "")
            lines += [
                "group \(group.id)  \(group.deadLetterClass)  \(organisation)  "
                    + "\(group.closedAt == nil ? count : "closed")  amount \(group.amount)  venues \(group.venues)",
                "  cause: \(plain(group.fingerprint))", "  to do: \(plain(group.remedy))",
                "  since \(group.openedAt), last seen \(group.lastSeen)"
                    + (group.assignee.map { ", assigned to \(plain($0))" } ?? "")
                    + (group.nextProbe.map { ", tried by itself from \($0)" } ?? ""),
                "  then:  tillbridge dead-letters replay --group \(group.id)",
            ]
        }
        return lines
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
        return table((isFirst ? [headings] : []) + rows)
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

    static func file(_ file: LetterFile) -> [String] {
        let letter = file.letter
        var lines = fields(letter)
        lines += section("What was done", file.events.map {
            "\($0.at)  \($0.action) by \(plain($0.author))" + ($0.note.map { ": \(plain($0))" } ?? "")
        })
        lines += section("How it arrived", file.arrivals.flatMap {
            [
                "\($0.at)  after \($0.attempts) counted attempts" + ($0.replay > 0 ? ", replay \($0.replay)" : "")
                    + ": \(plain($0.cause))", "  headers \(plain($0.headers))",
            ]
        })
        lines += section("Calls to Xero", file.calls.map {
            "\($0.at)  \($0.kind), key \(plain($0.key)): \(plain($0.outcome ?? "no answer yet"))"
        })
        lines += section("Message", [body(letter.body, isTruncated: letter.isTruncated)])
        if let edited = file.editedBody { lines += section("Corrected", [body(edited, isTruncated: false)]) }
        return lines
    }

    private static func fields(_ letter: Letter) -> [String] {
        let pairs: [(String, String?)] = [
            ("letter", "\(letter.id), group \(letter.group)"), ("class", letter.deadLetterClass),
            ("state", letter.state.rawValue + (letter.outcome.map { " (\($0))" } ?? "")), ("cause", letter.cause),
            ("to do", letter.remedy), ("organisation", letter.organisation), ("company", letter.company),
            ("venue", letter.venue), ("day", letter.businessDate), ("number", letter.number),
            ("order", letter.sourceID), ("amount", letter.amount),
            ("document", letter.document.map { "\($0)" + (letter.lacks.map { ", lacks \($0)" } ?? "") }),
            ("came from", letter.origin), ("assigned to", letter.assignee),
            ("replays", letter.replays > 0 ? String(letter.replays) : nil),
            ("corrections", letter.edits > 0 ? String(letter.edits) : nil),
            ("first seen", "\(letter.firstSeen)"), ("last seen", "\(letter.lastSeen)"),
        ]
        return pairs.compactMap { name, value in
            value.map { name + String(repeating: " ", count: 13 - name.count) + plain($0) }
        }
    }

    private static func section(_ title: String, _ lines: [String]) -> [String] {
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

    /// Columns in line.
    private static func table(_ rows: [[String]]) -> [String] {
        guard let first = rows.first else { return [] }
        let widths = first.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                column == row.count - 1
                    ? row[column] : row[column] + String(repeating: " ", count: widths[column] - row[column].count)
            }.joined(separator: "  ")
        }
    }
}
