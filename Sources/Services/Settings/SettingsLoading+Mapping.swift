import Domain
import Mapping
import Money

/// What a venue takes from its organisation where it says nothing itself.
struct VenueDefaults {
    var accounts = VenueBooks.Accounts(sales: "", tips: "", rounding: "", outsideTaxType: "")
    var clearingAccounts: [String: String] = [:]
    var fallbackClearingAccount: String?
    var paymentTermDays = 0
    var brandingTheme: String?
    var posting = PostingPlan()
    var trackingCategory: String?
    var timeZoneName = ""
    var timeZone = TimeZoneRules.utc
    var taxTypes: [ExactDecimal: String] = [:]
    var trackingSources: [TrackingSource: String] = [:]
    /// The first day whose orders belong in the books; nil: it was reported.
    var startFrom: CalendarDate?

    /// Nil where the company's organisation is not known: that was reported.
    init(_ organisation: OrganisationSettings?) {
        guard let organisation else { return }
        accounts = organisation.accounts
        clearingAccounts = organisation.clearingAccounts
        fallbackClearingAccount = organisation.fallbackClearingAccount
        paymentTermDays = organisation.paymentTermDays
        brandingTheme = organisation.brandingTheme
        posting = organisation.posting
        trackingCategory = organisation.trackingCategory
        timeZoneName = organisation.timeZoneName
        timeZone = organisation.timeZone
        taxTypes = organisation.taxTypes
        trackingSources = organisation.trackingSources
    }
}

extension VenueBooks.Accounts {
    init(reading section: SettingsSection?, _ chart: ChartNotes) {
        self.init(
            sales: section?.required("sales") ?? "", tips: section?.required("tips") ?? "",
            rounding: section?.required("rounding") ?? "",
            outsideTaxType: section?.text("outside_tax_type") ?? "BASEXCLUDED")
        self = overridden(by: section, chart)
    }

    /// These accounts with those of a section in their place.
    func overridden(by section: SettingsSection?, _ chart: ChartNotes) -> VenueBooks.Accounts {
        guard let section else { return self }
        var accounts = self
        func sale(_ key: String) -> String? { section.accountCode(key, .sales, chart) }
        func outside(_ key: String) -> String? { section.accountCode(key, .outside, chart) }
        accounts.sales = sale("sales") ?? sales
        accounts.discounts = sale("discounts") ?? discounts
        accounts.surcharges = sale("surcharges") ?? surcharges
        accounts.tips = outside("tips") ?? tips
        accounts.rounding = outside("rounding") ?? rounding
        accounts.giftCardLiability = outside("gift_card_liability") ?? giftCardLiability
        accounts.variance = outside("variance") ?? variance
        accounts.deposits = outside("deposits") ?? deposits
        if let type = section.text("outside_tax_type") {
            accounts.outsideTaxType = type
            chart.note(.taxType(type), section, "outside_tax_type")
        }
        return accounts
    }
}

extension SettingsSection {
    /// What an account is for: it decides what Xero must allow for it.
    enum AccountUse {
        /// Lines with the tax of the goods.
        case sales
        /// Lines that are no supply.
        case outside
        /// Payments.
        case payments
    }

    func accountCode(_ name: String, _ use: AccountUse, _ chart: ChartNotes) -> String? {
        guard let text = text(name), !text.isEmpty else { return nil }
        if text.count > 10 { report("`\(text)` is longer than the 10 characters of an account code", at: name) }
        switch use {
        case .sales: chart.note(.account(text, .ofGoods), self, name)
        case .outside: chart.note(.account(text, .outside), self, name)
        case .payments: chart.note(.clearingAccount(text), self, name)
        }
        return text
    }

    func taxTypes(_ chart: ChartNotes, isRequired: Bool = true) -> [ExactDecimal: String] {
        var result: [ExactDecimal: String] = [:]
        for (rate, type, place) in placedTable("taxes") {
            guard let value = ExactDecimal(rate), value >= .zero, value <= .one else {
                report("`\(rate)` is not a rate such as 0.1 for 10 %", at: "taxes")
                continue
            }
            if result.updateValue(type, forKey: value) != nil { report("the rate \(rate) is there twice", at: "taxes") }
            chart.note(.goodsTax(rate: value, type: type), place)
        }
        if result.isEmpty && isRequired {
            report("is missing: which Xero tax type each rate has, such as `0.1: OUTPUT`", at: "taxes")
        }
        return result
    }

    func clearingAccounts(_ chart: ChartNotes) -> [String: String] {
        var result: [String: String] = [:]
        for (method, account, place) in placedTable("payment_methods") {
            if account.count > 10 {
                report("`\(account)` is longer than the 10 characters of an account code", at: "payment_methods")
            }
            if result.updateValue(account, forKey: method.lowercased()) != nil {
                report("the payment method `\(method)` is there twice", at: "payment_methods")
            }
            chart.note(.clearingAccount(account), place)
        }
        return result
    }

    /// Ids → names.
    func names(_ key: String) -> [String: String] {
        var result: [String: String] = [:]
        for (id, name, _) in placedTable(key) { result[id] = name }
        return result
    }

    /// Names that are options of a tracking category must be there.
    func noteNames(_ key: String, as source: TrackingSource, _ venues: [VenueSettings], _ chart: ChartNotes) {
        let categories = Set(venues.compactMap { $0.trackingSources[source] }).sorted()
        if categories.isEmpty { return }
        for (_, name, place) in placedTable(key) {
            for category in categories { chart.note(.trackingOption(category: category, option: name), place) }
        }
    }

    func brandingTheme(_ chart: ChartNotes) -> String? {
        let id = identifier("branding_theme")
        if let id { chart.note(.brandingTheme(id), self, "branding_theme") }
        return id
    }

    private func identifier(_ key: String) -> String? {
        value(key, "an id of Xero's such as dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01") { text in
            Self.isIdentifier(text) ? text : nil
        }
    }

    /// As Xero names what it holds.
    static func isIdentifier(_ text: String) -> Bool {
        text.count == 36 && text.allSatisfy { $0.isASCII && ($0.isHexDigit || $0 == "-") }
    }

    func trackingCategory(_ chart: ChartNotes) -> String? {
        guard let category = text("tracking_category") else { return nil }
        chart.note(.trackingCategory(category), self, "tracking_category")
        return category
    }

    /// `tracking_from: {register: Till}`: Xero takes two categories a line, the venue's included.
    ///
    /// - Parameter defaults: what the section's keys come before.
    func trackingSources(
        besides venueCategory: String?, _ chart: ChartNotes, default defaults: [TrackingSource: String] = [:]
    ) -> [TrackingSource: String] {
        var sources = defaults
        let known = TrackingSource.allCases.map(\.rawValue)
        for (key, category, place) in placedTable("tracking_from") {
            guard let source = TrackingSource(rawValue: key) else {
                report(
                    "`\(key)` is none of \(known.joined(separator: ", "))\(Nearness.hint(for: key, in: known))",
                    at: "tracking_from")
                continue
            }
            sources[source] = category
            chart.note(.trackingCategory(category), place)
        }
        let categories = Array(sources.values) + [venueCategory].compactMap(\.self)
        if Set(categories).count != categories.count {
            report("a category can carry one thing only", at: "tracking_from")
        }
        if categories.count > 2 {
            report("Xero takes at most 2 categories a line, the venue's included", at: "tracking_from")
        }
        return sources
    }

    func ruleBook(_ rules: RuleReader) -> RuleBook {
        rules.readTables(self)
        let placed = rules.rules(self)
        for rule in placed { rules.noteChart(of: rule) }
        var unmapped = RuleBook.Unmapped.asDefault
        if let text = text("unmapped_products") {
            switch text {
            case "default": unmapped = .asDefault
            case "park": unmapped = .park
            default:
                unmapped = .account(text)
                _ = accountCode("unmapped_products", .sales, rules.chart)
            }
        }
        return RuleBook(rules: placed.map(\.rule), unmapped: unmapped)
    }
}

extension RuleReader {
    /// What a rule names in the chart. Texts made from an order's fields cannot be compared beforehand.
    fileprivate func noteChart(of placed: PlacedRule) {
        let outcome = placed.rule.outcome
        let types = outcome.taxType?.possibleValues ?? []
        for account in outcome.account?.possibleValues ?? [] {
            let target: ChartReference.Target =
                placed.rule.subject == .payment
                ? .clearingAccount(account)
                : .account(account, types.isEmpty ? .ofGoods : .only(types))
            chart.note(target, placed.places["account"] ?? placed.place)
        }
        for theme in outcome.brandingTheme?.possibleValues ?? [] {
            chart.note(.brandingTheme(theme), placed.places["branding_theme"] ?? placed.place)
        }
        for type in types { chart.note(.taxType(type), placed.places["tax_type"] ?? placed.place) }
        for choice in outcome.tracking {
            let place = placed.places["tracking.\(choice.category)"] ?? placed.place
            chart.note(.trackingCategory(choice.category), place)
            for option in choice.option.possibleValues ?? [] {
                chart.note(.trackingOption(category: choice.category, option: option), place)
            }
        }
    }
}

extension PostingPlan {
    /// A section's keys in place of those of `other`.
    init(reading section: SettingsSection?, default other: PostingPlan) {
        self = other
        guard let section else { return }
        initial = section.choice("mode", default: other.initial)
        let changes = section.sections("changes")
        if !changes.isEmpty { periods = [] }
        for change in changes {
            let day = change.value("from", "a day such as 2026-07-01") { CalendarDate($0) }
            if change.text("from") == nil { change.report("is missing: the first day of the mode", at: "from") }
            if change.text("mode") == nil { change.report("is missing: per_order or daily_summary", at: "mode") }
            let mode = change.choice("mode", default: PostingMode.perOrder)
            change.finish()
            guard let day else { continue }
            if periods.contains(where: { $0.from == day }) { change.report("\(day) is there twice", at: "from") }
            periods.append(Period(from: day, mode: mode))
        }
        periods.sort { $0.from < $1.from }
        cutOffMinutes =
            section.value("cut_off", "a time such as 04:00, before noon") { text in
                let parts = text.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }), let hour = Int(parts[0]),
                    let minute = Int(parts[1]), (0...11).contains(hour), (0...59).contains(minute)
                else { return nil }
                return hour * 60 + minute
            } ?? other.cutOffMinutes
        closing = section.choice("close_on", default: other.closing)
        takingsWithin =
            section.value("takings_within", "a duration from 1h to 30d") { text in
                DurationText.parse(text).flatMap { (.seconds(3600) ... .seconds(30 * 86_400)).contains($0) ? $0 : nil }
            } ?? other.takingsWithin
        takingsQuiet =
            section.value("takings_quiet", "a duration up to 12h") { text in
                DurationText.parse(text).flatMap { (.zero ... .seconds(12 * 3600)).contains($0) ? $0 : nil }
            } ?? other.takingsQuiet
        let known = Grouping.allCases.map(\.rawValue)
        let groups = section.texts("group_by")
        if !groups.isEmpty { grouping = [] }
        for text in groups {
            guard let group = Grouping(rawValue: text) else {
                section.report(
                    "`\(text)` is none of \(known.joined(separator: ", "))\(Nearness.hint(for: text, in: known))",
                    at: "group_by")
                continue
            }
            if !grouping.contains(group) { grouping.append(group) }
        }
        attachesOrders = section.flag("attach_orders", default: other.attachesOrders)
        section.finish()
    }
}

extension ItemSettings {
    init(reading section: SettingsSection) {
        isOn = section.flag("sync", default: false)
        code = section.choice("code", default: .sku)
        onLines = section.flag("on_lines", default: false)
        section.finish()
    }
}
