import Domain
import Yams

/// Puts edits of the mapping into a configuration's document, as if the file said so: then it is read and validated
/// like any other. What a file lacks of the places that an edit names is reported.
struct MappingOverlay {
    private let reader: SettingsReader
    private(set) var root: Node.Mapping

    init(_ root: Node.Mapping, reader: SettingsReader) {
        self.root = root
        self.reader = reader
    }

    /// In their order: of two that meet in one place the later one counts.
    mutating func apply(_ edits: [MappingEdit]) {
        for edit in edits {
            if let problem = edit.problem { report(edit, problem) } else { apply(edit) }
        }
    }

    private func report(_ edit: MappingEdit, _ message: String) {
        reader.report(message, at: "mapping edit of \(edit.scope.words): \(edit.target.text)", line: nil)
    }

    private mutating func apply(_ edit: MappingEdit) {
        guard edit.target.fits(edit.scope) else { return report(edit, "is not set for a venue, or only for one") }
        switch edit.scope {
        case .organisation(let key):
            guard let index = root.elements("organisations").firstIndex(where: { $0["key"] == key.text }) else {
                return report(edit, "there is no such organisation any more")
            }
            var organisation = root.elements("organisations")[index]
            if case .account(let code) = edit.target {
                AccountReplacement(from: code, to: edit.value).replace(in: &organisation)
                replaceInVenues(of: key, code, edit.value)
            } else if let problem = organisation.set(edit.target, to: edit.value) {
                return report(edit, problem)
            }
            root.replace("organisations", index, organisation)
        case .venue(let key, _):
            guard let company = root.elements("companies").firstIndex(where: { $0["key"] == key.company.text }),
                let venue = root.elements("companies")[company].elements("venues").firstIndex(where: {
                    $0["site"] == key.site.text
                })
            else { return report(edit, "there is no such venue any more") }
            var companyNode = root.elements("companies")[company]
            var venueNode = companyNode.elements("venues")[venue]
            if let problem = venueNode.set(edit.target, to: edit.value) { return report(edit, problem) }
            companyNode.replace("venues", venue, venueNode)
            root.replace("companies", company, companyNode)
        }
    }

    private mutating func replaceInVenues(of organisation: OrganisationKey, _ code: String, _ value: String) {
        for (index, company) in root.elements("companies").enumerated()
        where company["organisation"] == organisation.text {
            var company = company
            for (place, venue) in company.elements("venues").enumerated() {
                var venue = venue
                AccountReplacement(from: code, to: value).replace(in: &venue)
                company.replace("venues", place, venue)
            }
            root.replace("companies", index, company)
        }
    }
}

extension MappingScope {
    fileprivate var words: String {
        switch self {
        case .organisation(let key): "organisation `\(key)`"
        case .venue(let key, _): "site \(key.site) of company `\(key.company)`"
        }
    }
}

extension Node.Mapping {
    /// The single value of a key.
    subscript(key: String) -> String? { index(of: key).flatMap { self[$0].value.scalar?.string } }

    private func index(of key: String) -> Int? { firstIndex { $0.key.scalar?.string == key } }

    /// The mappings that a key's list holds.
    func elements(_ key: String) -> [Node.Mapping] {
        index(of: key).flatMap { self[$0].value.sequence }?.map { $0.mapping ?? Node.Mapping([]) } ?? []
    }

    mutating func replace(_ key: String, _ element: Int, _ new: Node.Mapping) {
        guard let index = index(of: key), var list = self[index].value.sequence, list[element].mapping != nil else {
            return
        }
        list[element] = .mapping(new)
        self[index] = (self[index].key, .sequence(list))
    }

    /// - Returns: what hinders; nil where it is set.
    fileprivate mutating func set(_ target: MappingTarget, to value: String) -> String? {
        switch target {
        case .key(let key): put(key, .text(value))
        case .entry(let section, let key):
            var entries = index(of: section).flatMap { self[$0].value.mapping } ?? Node.Mapping([])
            let isRate = section == "taxes" || section == "levies" || section == "combined_taxes"
            entries.put(key, .text(value)) { isRate ? RateText.plain($0) == key : $0.lowercased() == key }
            put(section, .mapping(entries))
        case .tableEntry(let table, let key):
            guard var tables = index(of: "tables").flatMap({ self[$0].value.mapping }),
                let place = tables.index(of: table), var entries = tables[place].value.mapping
            else { return "there is no table `\(table)`" }
            entries.put(key, .text(value)) { $0.lowercased() == key }
            tables[place] = (tables[place].key, .mapping(entries))
            put("tables", .mapping(tables))
        case .rule(let name, let key):
            guard let place = elements("rules").enumerated().first(where: { $1["name"] ?? "rule \($0 + 1)" == name })
            else { return "there is no rule `\(name)`" }
            var rule = place.element
            guard let index = rule.index(of: "set"), var set = rule[index].value.mapping else {
                return "the rule `\(name)` sets nothing: it skips or parks"
            }
            set.put(key, .text(value))
            rule[index] = (rule[index].key, .mapping(set))
            replace("rules", place.offset, rule)
        case .account: preconditionFailure("an account is replaced wherever it is named")
        }
        return nil
    }

    /// In the place of the key that is the same, else at the end.
    private mutating func put(_ key: String, _ value: Node, isSame: (String) -> Bool) {
        if let index = firstIndex(where: { $0.key.scalar.map { isSame($0.string) } ?? false }) {
            self[index] = (self[index].key, value)
        } else {
            self = Node.Mapping(map { ($0.key, $0.value) } + [(.text(key), value)], tag, style, mark)
        }
    }

    fileprivate mutating func put(_ key: String, _ value: Node) { put(key, value) { $0 == key } }
}

extension Node {
    /// Quoted: a code of digits is a text, and so is one that spells `null`.
    static func text(_ value: String) -> Node { Node(value, .implicit, .doubleQuoted) }
}
