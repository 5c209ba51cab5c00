package import Domain
import Mapping
import Money
import Yams

extension Settings {
    /// What loading needs from outside, so that it can be tested without a file system.
    package struct Sources {
        package var file: String
        package var yaml: String
        package var environment: [String: String]
        package var readFile: (String) -> String?
        package var readTimeZone: (String) -> TimeZoneRules?
        /// What people set of the mapping over the file, in its order.
        package var edits: [MappingEdit]

        package init(
            file: String, yaml: String, environment: [String: String], readFile: @escaping (String) -> String?,
            readTimeZone: @escaping (String) -> TimeZoneRules?, edits: [MappingEdit] = []
        ) {
            self.file = file
            self.yaml = yaml
            self.environment = environment
            self.readFile = readFile
            self.readTimeZone = readTimeZone
            self.edits = edits
        }
    }

    /// - Throws: ``SettingsError`` with all problems at once.
    package init(loading sources: Sources) throws(SettingsError) {
        let reader = SettingsReader(file: sources.file) { name in
            sources.environment[Environment.prefix + name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let root: SettingsSection
        let document: Node.Mapping
        do {
            guard let mapping = try compose(yaml: sources.yaml)?.mapping else {
                throw SettingsError(problems: [.init(sources.file, "is empty or holds no keys")])
            }
            var overlay = MappingOverlay(mapping, reader: reader)
            overlay.apply(sources.edits)
            document = overlay.root
            root = SettingsSection(reader: reader, node: document, path: "")
        } catch let error as SettingsError {
            throw error
        } catch {
            throw SettingsError(problems: [.init(sources.file, "is not valid YAML: \(error)")])
        }
        let environment = Environment(values: sources.environment, readFile: sources.readFile, reader: reader)
        var mentions: [OrganisationKey: [RuleReader.Mention]] = [:]
        organisations = root.sections("organisations").map { section in
            let rules = RuleReader(reader: reader)
            let organisation = OrganisationSettings(reading: section, environment, sources.readTimeZone, rules)
            mentions[organisation.key] = rules.mentions
            return organisation
        }
        var known = organisations
        companies = root.sections("companies").map {
            CompanySettings(reading: $0, environment, &known, sources.readTimeZone)
        }
        organisations = known
        polling = PollingSettings(reading: root.optionalSection("polling"))
        mapping = MappingSettings(reading: root.optionalSection("mapping"))
        writing = WritingSettings(reading: root.optionalSection("writing"))
        desk = DeskSettings(reading: root.optionalSection("desk"))
        alerts = AlertSettings(
            reading: root.optionalSection("alerts"), environment, organisations, sources.readTimeZone,
            rereading: max(polling.rescanInterval, polling.correctionsInterval))
        connections = ConnectionSettings(reading: environment)
        apps = AppSettings(reading: environment)
        let simulation = root.optionalSection("simulation")
        let multiple = simulation.integer("limits_multiple", in: 0...100_000, default: 1)
        simulation.finish()
        statedLimits = StatedLimits(
            multiple: multiple,
            organisations: Dictionary(organisations.map { ($0.key, $0.limits) }) { first, _ in first },
            companies: Dictionary(companies.map { ($0.key, $0.callsPerMinute) }) { first, _ in first },
            appCallsPerMinute: writing.appCallsPerMinute)
        multiplyLimits(by: multiple)
        root.finish()
        checkUniqueness(root)
        for (key, mentions) in mentions { checkVenues(mentions, of: key, reader) }
        guard reader.problems.isEmpty else { throw SettingsError(problems: reader.sortedProblems) }
        // Not before: an alias of an alias in a file that has problems may stand for more than any machine can write.
        if !sources.edits.isEmpty { editedText = Self.text(of: document) }
    }

    /// A configuration in the form in which edits leave it, without any: to see whether they change something.
    ///
    /// - Parameter yaml: one that is in order.
    package static func rewritten(_ yaml: String) -> String {
        ((try? compose(yaml: yaml))?.mapping).map { text(of: $0) } ?? yaml
    }

    /// What was read can be written: it holds nothing but texts, lists and keys.
    private static func text(of document: Node.Mapping) -> String {
        (try? Yams.serialize(node: .mapping(document), width: -1, allowUnicode: true)) ?? ""
    }

    /// A rule for a venue that does not exist would silently never apply.
    private func checkVenues(_ mentions: [RuleReader.Mention], of key: OrganisationKey, _ reader: SettingsReader) {
        let venues = companies.filter { $0.organisation == key }.flatMap(\.venues)
        for mention in mentions {
            let known = venues.map { mention.field == .venue ? $0.name : $0.site.text }
            if known.contains(where: { $0.lowercased() == mention.value.lowercased() }) { continue }
            reader.report(
                "organisation `\(key)` has no \(mention.field.rawValue) `\(mention.value)`"
                    + Nearness.hint(for: mention.value, in: known), at: mention.path, line: mention.line)
        }
    }

    /// Against simulators that run at a multiple of the vendors' limits, the fleet's own limits grow alike; 0 lifts
    /// them.
    private mutating func multiplyLimits(by multiple: Int) {
        for index in organisations.indices {
            organisations[index].limits.callsPerMinute *= multiple
            organisations[index].limits.callsInFlight *= multiple
            organisations[index].limits.callsPerDay *= multiple
            organisations[index].limits.reserve.people *= multiple
            organisations[index].limits.reserve.reads *= multiple
            organisations[index].limits.reserve.posting *= multiple
        }
        for index in companies.indices { companies[index].callsPerMinute *= multiple }
        // The simulators keep the app's own limit at any multiple.
        if multiple == 0 { writing.appCallsPerMinute = 0 }
    }

    private func checkUniqueness(_ root: SettingsSection) {
        func twice<Key: Hashable>(_ keys: [Key]) -> [Key] {
            var seen: Set<Key> = []
            return keys.filter { !seen.insert($0).inserted }
        }
        if organisations.isEmpty { root.report("list at least one Xero organisation", at: "organisations") }
        if companies.isEmpty { root.report("list at least one Kounta company", at: "companies") }
        for key in twice(organisations.map(\.key)) { root.report("`\(key)` is there twice", at: "organisations") }
        for key in twice(companies.map(\.key)) { root.report("`\(key)` is there twice", at: "companies") }
        for company in companies {
            for site in twice(company.venues.map(\.site)) {
                root.report("`\(company.key)` lists site \(site) twice", at: "companies")
            }
        }
        // Two venues with one prefix in one organisation would give two orders one invoice number.
        for organisation in organisations {
            let venues = companies.filter { $0.organisation == organisation.key }.flatMap(\.venues)
            for prefix in twice(venues.map { $0.prefix.uppercased() }) {
                root.report(
                    "two venues of organisation `\(organisation.key)` share the number prefix \(prefix)",
                    at: "companies")
            }
        }
    }
}

extension SettingsProblem {
    init(_ file: String, _ message: String) { self.init(file: file, line: nil, path: "", message: message) }
}

extension OrganisationSettings {
    init(
        reading section: SettingsSection, _ environment: Environment, _ readTimeZone: (String) -> TimeZoneRules?,
        _ rules: RuleReader
    ) {
        key = OrganisationKey(section.key("key"))
        name = section.required("name")
        tenant = section.text("tenant")
        currency =
            section.value(
                "currency", "a currency with two decimals that the fleet can book (AUD, NZD, GBP, USD, EUR, CAD, SGD)"
            ) {
                ["AUD", "NZD", "GBP", "USD", "EUR", "CAD", "SGD"].contains($0) ? $0 : nil
            } ?? "AUD"
        rules.chart.note(.currency(currency), section, "currency")
        timeZoneName = section.required("timezone")
        timeZone = section.timeZone(readTimeZone) ?? .utc
        let accountSection = section.section("accounts")
        if accountSection == nil { section.report("is missing: sales, tips and rounding", at: "accounts") }
        accounts = VenueBooks.Accounts(reading: accountSection, rules.chart)
        accountSection?.finish()
        taxTypes = section.taxTypes(rules.chart)
        clearingAccounts = section.clearingAccounts(rules.chart)
        fallbackClearingAccount = section.accountCode("fallback_clearing_account", .payments, rules.chart)
        roundingMax =
            section.value("rounding_max", "an amount from 0.00 to 1.00") { text in
                ExactDecimal(text).flatMap { Money(exactly: $0) }.flatMap { (0...100).contains($0.cents) ? $0 : nil }
            } ?? Money(cents: 5)
        paymentTermDays = section.integer("payment_term_days", in: 0...365, default: 0)
        trackingCategory = section.trackingCategory(rules.chart)
        trackingSources = section.trackingSources(besides: trackingCategory, rules.chart)
        brandingTheme = section.brandingTheme(rules.chart)
        posting = PostingPlan(reading: section.section("posting"), default: PostingPlan())
        items = ItemSettings(reading: section.optionalSection("items"))
        self.rules = section.ruleBook(rules)
        writeBack = rules.writeBack(section)
        ruleText = section.yaml(of: ["tables", "rules", "write_back"])
        writeBackText = section.yaml(of: ["tables", "write_back"])
        sales = SalePolicy(reading: section, rules.chart)
        references = rules.chart.references
        let limitSection = section.section("limits")
        limits = OrganisationLimits(
            callsPerMinute: limitSection?.integer("calls_per_minute", in: 0...1_000_000, default: 60) ?? 60,
            callsInFlight: limitSection?.integer("calls_in_flight", in: 0...1000, default: 5) ?? 5,
            callsPerDay: limitSection?.integer("calls_per_day", in: 0...100_000_000, default: 5000) ?? 5000,
            reserve: CallReserve(reading: limitSection))
        limitSection?.finish()
        credential = environment.credential("XERO_" + Environment.name(of: key.text))
        reportUnknownRates(rules)
        section.finish()
    }
}

extension OrganisationSettings {
    /// The tax inside a line is worked out before Xero does: the rate of each type that a rule sets must be known.
    private func reportUnknownRates(_ rules: RuleReader) {
        let known = SalePolicy.untaxedTypes.union(taxTypes.values).union(sales.combinedTaxTypes.values)
            .union(sales.ruleTaxRates.keys)
        for reference in references {
            guard case .taxType(let type) = reference.target, type != accounts.outsideTaxType, !known.contains(type)
            else { continue }
            rules.report(
                "nothing says which rate `\(type)` is: add it to `other_taxes` of the organisation, such as "
                    + "`other_taxes: {\(type): 0.15}`", Place(reference.path, line: reference.line))
        }
    }
}

extension SettingsSection {
    /// Nil where the section names none, or none that this machine knows.
    func timeZone(_ read: (String) -> TimeZoneRules?) -> TimeZoneRules? {
        guard let name = text("timezone"), !name.isEmpty else { return nil }
        let zone = read(name)
        if zone == nil {
            report("`\(name)` is no time zone this machine knows, such as Australia/Sydney", at: "timezone")
        }
        return zone
    }

    /// A short name that is safe inside a queue's name and an environment variable's.
    func key(_ name: String) -> String {
        let text = required(name)
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") } && text.count <= 40
        if !isPlain { report("`\(text)` may hold only a–z, 0–9 and -, at most 40 of them", at: name) }
        return text
    }
}
