import Domain
import FoundationEssentials
import JSON
import Store

/// Letters as JSON for machines, one object a line. Pure.
enum LetterJSON {
    static func letter(_ letter: Letter, withBody: Bool = false) -> String {
        var writer = JSONWriter()
        write(letter, withBody: withBody, to: &writer)
        return writer.text
    }

    static func groups(_ groups: [LetterGroup]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for group in groups {
                writer.object { writer in
                    writer.field("group", group.id)
                    writer.field("class", group.deadLetterClass)
                    writer.field("cause", group.cause ?? group.fingerprint)
                    writer.field("command", LetterLines.command(group))
                    writer.field("remedy", group.remedy)
                    writer.optional("organisation", group.organisation.isEmpty ? nil : group.organisation)
                    writer.field("open", group.open)
                    writer.field("in_flight", group.inFlight)
                    writer.field("amount", number: group.amount)
                    writer.field("venues", group.venues)
                    writer.optional("assignee", group.assignee)
                    writer.field("opened_at", "\(group.openedAt)")
                    writer.field("last_seen", "\(group.lastSeen)")
                    writer.optional("closed_at", group.closedAt.map { "\($0)" })
                    writer.optional("next_probe", group.nextProbe.map { "\($0)" })
                }
            }
        }
        return writer.text
    }

    static func outcome(_ touched: Touched, resolved: Int? = nil) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("letters", touched.count)
            writer.field("amount", number: touched.amount)
            writer.field("passed_over", touched.passedOver)
            if let resolved {
                writer.field("resolved", resolved)
                writer.field("came_back", touched.count - resolved)
            }
        }
        return writer.text
    }

    static func corrected(_ letter: Int64, _ corrections: Int, _ sent: Touched?) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("letter", letter)
            writer.field("corrections", corrections)
            writer.field("sent_again", (sent?.count ?? 0) > 0)
        }
        return writer.text
    }

    /// The members of a letter's file that are not lists, without the braces.
    static func members(_ file: LetterFile) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("letter")
            write(file.letter, withBody: true, to: &writer)
            if let edited = file.editedBody {
                write(edited, "edited_body", to: &writer)
                writer.field("is_edit_superseded", file.isEditSuperseded)
            }
        }
        return String(writer.text.dropFirst().dropLast())
    }

    static func event(_ event: LetterFile.Event) -> String {
        object { writer in
            writer.field("at", "\(event.at)")
            writer.field("action", event.action)
            writer.field("author", event.author)
            writer.optional("note", event.note)
        }
    }

    static func arrival(_ arrival: LetterFile.Arrival) -> String {
        object { writer in
            writer.field("at", "\(arrival.at)")
            writer.field("replay", arrival.replay)
            writer.field("attempts", arrival.attempts)
            writer.field("cause", arrival.cause)
            writer.key("headers")
            writer.raw(arrival.headers.utf8)
        }
    }

    static func call(_ call: LetterFile.Call) -> String {
        object { writer in
            writer.field("at", "\(call.at)")
            writer.field("kind", call.kind)
            writer.field("idempotency_key", call.key)
            writer.optional("outcome", call.outcome)
        }
    }

    private static func object(_ members: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        writer.object { members(&$0) }
        return writer.text
    }

    private static func write(_ letter: Letter, withBody: Bool, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("letter", letter.id)
            writer.field("group", letter.group)
            writer.field("state", letter.state.rawValue)
            writer.field("class", letter.deadLetterClass)
            writer.field("cause", letter.cause)
            writer.field("remedy", letter.remedy)
            writer.optional("organisation", letter.organisation)
            writer.optional("company", letter.company)
            writer.optional("venue", letter.venue)
            writer.optional("order", letter.sourceID)
            writer.optional("number", letter.number)
            if let amount = letter.amount { writer.field("amount", number: amount) }
            writer.optional("day", letter.businessDate)
            writer.optional("came_from", letter.origin)
            if let document = letter.document { writer.field("document", document) }
            writer.optional("lacks", letter.lacks)
            writer.field("attempts", letter.attempts)
            writer.field("replays", letter.replays)
            writer.field("corrections", letter.edits)
            writer.optional("assignee", letter.assignee)
            writer.optional("outcome", letter.outcome)
            writer.field("first_seen", "\(letter.firstSeen)")
            writer.field("last_seen", "\(letter.lastSeen)")
            if withBody {
                write(letter.body, "body", to: &writer)
                if letter.isTruncated { writer.field("is_truncated", true) }
            }
        }
    }

    /// As text where it is text; else in base 64 under a name that says so.
    private static func write(_ body: [UInt8], _ name: String, to writer: inout JSONWriter) {
        if let text = String(validating: body, as: UTF8.self) {
            writer.key(dynamic: name)
            writer.string(text)
        } else {
            writer.key(dynamic: name + "_base64")
            writer.string(Data(body).base64EncodedString())
        }
    }
}

/// Letters for a spreadsheet. Pure.
enum LetterCSV {
    static let header =
        "letter,group,class,state,organisation,venue,day,number,order,amount,cause,to do,assignee,outcome"

    static func row(_ letter: Letter) -> String {
        [
            String(letter.id), String(letter.group), letter.deadLetterClass, letter.state.rawValue,
            letter.organisation, letter.venue, letter.businessDate, letter.number, letter.sourceID, letter.amount,
            letter.cause, letter.remedy, letter.assignee, letter.outcome,
        ].map { cell($0 ?? "") }.joined(separator: ",")
    }

    /// Quoted, and never a formula: a spreadsheet runs what begins with one of these signs. A negative amount is none.
    private static func cell(_ text: String) -> String {
        let isNumber = text.allSatisfy { $0.isNumber || $0 == "." || $0 == "-" }
        let isFormula = !isNumber && text.first.map { "=+-@\t\r".contains($0) } == true
        return "\"" + (isFormula ? "'" : "") + LetterLines.plain(text).replacing("\"", with: "\"\"") + "\""
    }
}

extension JSONWriter {
    fileprivate mutating func optional(_ name: StaticString, _ value: String?) {
        if let value { field(name, value) }
    }
}
