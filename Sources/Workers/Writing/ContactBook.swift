import Domain
import Messaging
import ServiceLifecycle
import Setbacks
import Store
import Telemetry
import Xero

/// Finds the ledger's id of a contact number, or creates the contact once.
///
/// "Once" although several writers may try: the ledger keeps names unique, so of two creations one is refused, and the
/// refused one finds what the other made. Each attempt looks before it creates.
actor ContactBook {
    private let organisation: OrganisationKey
    private let names: [String: String]
    private let store: any ContactStore & LeaseStore
    private let ledger: any Ledger
    private let patience: Patience
    private let turn = SoloTurn()
    private var known: [String: String] = [:]
    /// Numbers whose contact the ledger takes no documents for any more, archived or merged into another: what is
    /// stored of them is not believed until somebody has looked again.
    private var doubted: Set<String> = []
    /// Numbers whose creation under the first key did not end well: Xero repeats an answer, also a 500 or a refusal,
    /// for six minutes under its key, so each further attempt has one of its own.
    private var spent: Set<String> = []

    init(
        organisation: OrganisationKey, names: [String: String], store: any ContactStore & LeaseStore,
        ledger: any Ledger, patience: Patience
    ) {
        self.organisation = organisation
        self.names = names
        self.store = store
        self.ledger = ledger
        self.patience = patience
    }

    /// The contact of a document: the venue's walk-in contact, or a customer's own.
    ///
    /// - Throws: ``Park`` where the ledger will not have the contact; ``PutOff`` where it fails time and again.
    func id(of claim: Claim, holding claims: [Claim]) async throws -> String {
        try await id(of: claim.contactNumber, claim.contact, holding: claims)
    }

    func id(
        of number: String, _ customer: ClaimedContact? = nil, holding claims: [Claim]
    ) async throws -> String {
        if let id = known[number] { return id }
        // One of this process's batches asks, the others wait for what it finds: each look costs a call.
        await turn.take()
        let result: Result<String, any Error>
        do { result = .success(try await find(number, customer, holding: claims)) } catch { result = .failure(error) }
        await turn.giveBack()
        return try result.get()
    }

    /// The ledger would not have a document for it: whoever needs it next looks it up there.
    func doubt(_ number: String) {
        known[number] = nil
        doubted.insert(number)
    }

    private func find(
        _ number: String, _ customer: ClaimedContact?, holding claims: [Claim]
    ) async throws -> String {
        if let id = try await knownID(of: number) { return id }
        // A customer's own contact is seldom sought by two at once, and a lease for each would fill the table.
        guard names[number] != nil, let lease = try await turn(for: number, holding: claims) else {
            if let id = try await knownID(of: number) { return id }
            return try await ask(number, customer, holding: claims)
        }
        let result: Result<String, any Error>
        do {
            if let id = try await knownID(of: number) {
                result = .success(id)
            } else {
                result = .success(try await ask(number, customer, holding: claims))
            }
        } catch { result = .failure(error) }
        // A lease that cannot be given back ends by itself.
        try? await store.giveBack(lease)
        return try result.get()
    }

    private func knownID(of number: String) async throws -> String? {
        if let id = known[number] { return id }
        guard !doubted.contains(number) else { return nil }
        guard let id = try await store.contactID(number, in: organisation) else { return nil }
        known[number] = id
        return id
    }

    /// So long one writer of all asks for a venue's contact alone; one that needs longer, because the organisation
    /// rests, or that died, is not waited for.
    private static let turnMax = Duration.seconds(10)
    private static let look = Duration.milliseconds(100)

    /// All writers start at the same moment and need the same few contacts: one of them asks, and the others find the
    /// answer in the database. Else each would spend two calls on it.
    ///
    /// - Returns: nil where another found it, or where its time is over.
    private func turn(for number: String, holding claims: [Claim]) async throws -> Lease? {
        let (store, clock, organisation) = (store, patience.clock, organisation)
        let name = "contact/\(organisation)/\(number)"
        return try await patience.keeping(claims) {
            var left = Self.turnMax
            while left > .zero {
                if let lease = try await store.acquire(name, for: Self.turnMax) { return lease }
                if Task.isShuttingDownGracefully { throw CancellationError() }
                try await clock.sleep(Self.look)
                left -= Self.look
                if try await store.contactID(number, in: organisation) != nil { return nil }
            }
            return nil
        }
    }

    private func ask(
        _ number: String, _ customer: ClaimedContact?, holding claims: [Claim]
    ) async throws -> String {
        var tries = 0
        while true {
            let outcome: XeroOutcome
            // A look waits for a permit: no longer than messages may be in hand. A creation that is given up on the way
            // does no harm: whoever comes next looks first.
            let found = try await patience.keeping(claims) { [self] in try await findOrCreate(number, customer) }
            switch found {
            case .found(let id):
                try await store.link(number, to: id, in: organisation)
                known[number] = id
                doubted.remove(number)
                return id
            case .failed(let failure): outcome = failure
            }
            if case .refused(_, let sentence) = outcome {
                throw Park(
                    .value, "Xero refused the contact \(number): \(sentence)",
                    remedy: "Correct the contact in the configuration, in Kounta or in Xero, then replay.")
            }
            // Each attempt looks first and has a key of its own: whatever became of this one, another does no harm.
            try await patience.bear(outcome, isRepeatable: true, tries: tries, holding: claims)
            tries += 1
        }
    }

    private func findOrCreate(_ number: String, _ customer: ClaimedContact?) async throws -> Lookup<String> {
        switch try await ledger.contact(number: number) {
        case .failed(let outcome): return .failed(outcome)
        case .found(let contact?):
            guard !contact.isArchived else {
                throw Park(
                    .archived, "The contact \(contact.name) (\(number)) is archived in Xero.",
                    remedy: "Restore it in Xero, then replay.")
            }
            return .found(contact.id)
        case .found(nil): break
        }
        var contact = NewContact(number: number, name: names[number] ?? number)
        if let customer, names[number] == nil {
            contact = NewContact(
                number: number, name: NewContact.name(customer.name, number: number), firstName: customer.firstName,
                lastName: customer.lastName, email: customer.email)
        }
        let isFirst = !spent.contains(number)
        // The first key is every writer's: two that create at the same moment get one answer.
        let key = isFirst ? "tb-contact-\(organisation)-\(number)" : IdempotencyKey.make(organisation)
        let sentences: [String]
        switch try await ledger.create(contact, key: String(key.prefix(128))) {
        case .found(let result):
            pass(.writerContacted)
            if let id = result.id, result.errors.isEmpty { return .found(id) }
            sentences = result.errors
        case .failed(.refused(let status, let sentence)): sentences = ["\(sentence) (status \(status))"]
        case .failed(let outcome):
            spent.insert(number)
            return .failed(outcome)
        }
        if isFirst {
            // Another made it, or this is what Xero said before a person mended it: look, then ask under a new key.
            spent.insert(number)
            return try await findOrCreate(number, customer)
        }
        if case .found(let contact?) = try await ledger.contact(number: number) { return .found(contact.id) }
        if RefusalReading.saysNameIsTaken(sentences), customer != nil { return try await createBeside(contact) }
        throw RefusalReading.park(sentences, document: "the contact \(contact.name) (\(number))")
    }

    /// Two customers of one name are two contacts, and Xero keeps names unique: the second carries its number.
    private func createBeside(_ namesake: NewContact) async throws -> Lookup<String> {
        var contact = namesake
        contact.name = NewContact.name("\(namesake.name) (\(namesake.number))", number: namesake.number)
        switch try await ledger.create(contact, key: IdempotencyKey.make(organisation)) {
        case .failed(let outcome): return .failed(outcome)
        case .found(let result):
            if let id = result.id, result.errors.isEmpty { return .found(id) }
            if case .found(let found?) = try await ledger.contact(number: contact.number) { return .found(found.id) }
            throw RefusalReading.park(result.errors, document: "the contact \(contact.name) (\(contact.number))")
        }
    }
}
