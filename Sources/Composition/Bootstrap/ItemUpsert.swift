import Domain
import Mapping
import Operator
import Settings
import Store
import Xero

/// Keeps one organisation's items in Xero as its products say. What stands in Xero decides, not what was sent once:
/// people edit items, and some were there before us. Doing it again changes nothing.
struct ItemUpsert: Sendable {
    let organisation: OrganisationSettings
    let client: XeroClient
    let store: any ProductStore
    /// What the calls are for; nil: for items.
    var purpose: CallPurpose?
    var isDry = false
    /// What was found and done, for people.
    private(set) var lines: [String] = []
    /// What a person must mend.
    private(set) var problems: [String] = []

    init(
        _ organisation: OrganisationSettings, client: XeroClient, store: any ProductStore,
        purpose: CallPurpose? = nil, isDry: Bool = false
    ) {
        self.organisation = organisation
        self.client = client
        self.store = store
        self.purpose = purpose
        self.isDry = isDry
    }

    /// - Returns: why Xero could not be asked; nil where it was.
    mutating func run(_ products: [Product]) async throws -> XeroOutcome? {
        let plan = ItemPlan(organisation, products: products)
        problems += plan.problems
        if plan.entries.isEmpty { return nil }
        let standing: [StandingItem]
        switch try await client.items(permit: try await permit()) {
        case .failed(let outcome): return outcome
        case .found(let items): standing = items
        }
        let known = try await store.itemHashes(in: organisation.key)
        let (changed, settled) = plan.changes(over: standing, known: known)
        let edited = changed.count { known[$0.item.code] == $0.hash }
        lines.append(
            "organisation \(organisation.key): \(plan.entries.count) items, \(changed.count) new or changed"
                + (edited == 0 ? "" : ", \(edited) of them edited in Xero"))
        if isDry { return nil }
        try await store.linkItems(settled.map { Self.link($0.entry, $0.id) }, in: organisation.key)
        for batch in ItemPlan.batches(of: changed) {
            switch try await client.upsertItems(batch.map(\.item), permit: try await permit()) {
            case .failed(let outcome): return outcome
            case .found(let results): try await link(batch, results)
            }
        }
        return nil
    }

    private func permit() async throws -> CallPermit? {
        guard let purpose else { return nil }
        return try await client.reserve(purpose)
    }

    /// Found again by their code, never by their place.
    private mutating func link(_ batch: [ItemPlan.Entry], _ results: [ItemResult]) async throws {
        let byCode = Dictionary(results.map { ($0.code, $0) }) { first, _ in first }
        var links: [ItemLink] = []
        for entry in batch {
            guard let result = byCode[entry.item.code], let id = result.id else {
                let why = byCode[entry.item.code]?.errors.joined(separator: " ") ?? "Xero's answer does not name it"
                problems.append("item \(entry.item.code) (\(entry.item.name)): \(why)")
                continue
            }
            links.append(Self.link(entry, id))
        }
        try await store.linkItems(links, in: organisation.key)
    }

    private static func link(_ entry: ItemPlan.Entry, _ id: String) -> ItemLink {
        ItemLink(code: entry.item.code, product: entry.product, hash: entry.hash, xeroID: id)
    }
}
