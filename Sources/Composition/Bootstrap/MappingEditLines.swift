import Alerting
import Domain
import JSON
import Mapping
import Settings
import Store

/// The names and clocks by which edits of the mapping are shown.
struct MappingPlaces: Sendable {
    private let venues: [VenueKey: String]
    private let clock: PlaceClock

    init(_ settings: Settings) {
        venues = settings.books.mapValues(\.name)
        clock = settings.alerts.policy.clock
    }

    /// Nil where the value is the organisation's.
    func venue(_ scope: MappingScope) -> String? {
        guard case .venue(let key, _) = scope else { return nil }
        return venues[key] ?? "site \(key.site) of \(key.company)"
    }

    func whose(_ scope: MappingScope) -> String { venue(scope) ?? scope.organisation.text }

    func time(_ instant: Instant, _ scope: MappingScope) -> String { clock.text(instant, of: scope.organisation) }

    /// Whether a value has a say in what a letter's venue books. One that names no venue may be of any.
    func concerns(_ scope: MappingScope, organisation: String?, company: String?, venue name: String?) -> Bool {
        guard scope.organisation.text == organisation else { return false }
        guard case .venue(let key, _) = scope, let name else { return true }
        return key.company.text == company && venues[key] == name
    }
}

/// Edits of the mapping as lines for people, and as JSON. Pure.
enum MappingEditLines {
    static func kept(_ edit: KeptMappingEdit, before: String?, _ places: MappingPlaces) -> String {
        let whose = "\(LetterLines.plain(places.whose(edit.scope))): \(LetterLines.plain(edit.what))"
        let was = before.map { ", was \(LetterLines.plain($0))" } ?? ""
        guard let value = edit.value else { return "edit \(edit.id): \(whose) is what the file says\(was)" }
        return "edit \(edit.id): \(whose) is \(LetterLines.plain(value))\(was)"
    }

    /// One line, as `dead-letters show` has it.
    static func line(_ edit: KeptMappingEdit, _ places: MappingPlaces) -> String {
        let what = "\(places.whose(edit.scope)): \(edit.what) is \(edit.value ?? "what the file says")"
        return LetterLines.plain(
            "\(places.time(edit.at, edit.scope))  \(what), by \(edit.author): \(edit.reason)")
    }

    static func list(_ edits: [KeptMappingEdit], _ places: MappingPlaces, isFirst: Bool) -> [String] {
        let rows = edits.map { edit in
            [
                String(edit.id), places.time(edit.at, edit.scope), edit.scope.organisation.text,
                places.venue(edit.scope) ?? "all", edit.what, edit.value ?? "as the file", edit.author, edit.reason,
            ].map { LetterLines.plain($0) }
        }
        return LetterLines.table(
            (isFirst ? [["edit", "when", "organisation", "venue", "what", "value", "by", "why"]] : []) + rows,
            rightAligned: [0])
    }

    /// - Parameter version: the number of the mapping it is in effect with.
    static func json(_ edit: KeptMappingEdit, _ places: MappingPlaces, version: Int64? = nil) -> String {
        var writer = JSONWriter()
        writer.object { write(edit, places, version: version, to: &$0) }
        return writer.text
    }

    static func write(
        _ edit: KeptMappingEdit, _ places: MappingPlaces, version: Int64? = nil, to writer: inout JSONWriter
    ) {
        writer.field("edit", edit.id)
        writer.field("at", "\(edit.at)")
        writer.field("organisation", edit.scope.organisation.text)
        if case .venue(let key, _) = edit.scope {
            writer.field("company", key.company.text)
            writer.field("site", key.site.text)
            writer.field("venue", places.whose(edit.scope))
        }
        writer.field("what", edit.what)
        if let value = edit.value { writer.field("value", value) }
        writer.field("author", edit.author)
        writer.field("reason", edit.reason)
        if let version { writer.field("mapping", version) }
    }
}
