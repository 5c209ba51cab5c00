internal import JSON

/// Contacts, accounts, taxes and the organisation in the vendor's shapes.
extension Books {
    /// The contact as an invoice or a short list shows it.
    func writeShort(_ contact: Contact, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("ContactID", contact.id.text)
            writer.field("Name", contact.name)
            writer.key("ContactPersons")
            writer.raw("[]".utf8)
            writer.field("HasValidationErrors", false)
        }
    }

    func write(_ contact: Contact, status: String? = nil, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("ContactID", contact.id.text)
            if !contact.number.isEmpty { writer.field("ContactNumber", contact.number) }
            if !contact.accountNumber.isEmpty { writer.field("AccountNumber", contact.accountNumber) }
            writer.field("ContactStatus", contact.isArchived ? "ARCHIVED" : "ACTIVE")
            if let other = contact.mergedInto { writer.field("MergedToContactID", other.text) }
            writer.field("Name", contact.name)
            if !contact.firstName.isEmpty { writer.field("FirstName", contact.firstName) }
            if !contact.lastName.isEmpty { writer.field("LastName", contact.lastName) }
            writer.field("EmailAddress", contact.email)
            if !contact.companyNumber.isEmpty { writer.field("CompanyNumber", contact.companyNumber) }
            if !contact.taxNumber.isEmpty { writer.field("TaxNumber", contact.taxNumber) }
            writer.field("BankAccountDetails", "")
            writer.key("Addresses")
            writer.raw(contact.addresses.isEmpty ? Self.blankAddresses : contact.addresses)
            writer.key("Phones")
            writer.raw(contact.phones.isEmpty ? Self.blankPhones : contact.phones)
            writer.field("UpdatedDateUTC", Moment.wire(contact.updated))
            writer.key("ContactGroups")
            writer.raw("[]".utf8)
            writer.field("IsSupplier", false)
            writer.field("IsCustomer", contact.isCustomer)
            writer.key("SalesTrackingCategories")
            writer.raw("[]".utf8)
            writer.key("PurchasesTrackingCategories")
            writer.raw("[]".utf8)
            writer.key("ContactPersons")
            writer.raw(contact.persons.isEmpty ? Array("[]".utf8) : contact.persons)
            writer.field("HasValidationErrors", false)
            if let status { writer.field("StatusAttributeString", status) }
        }
    }

    private static let blankAddresses: [UInt8] = {
        let rest = #""City":"","Region":"","PostalCode":"","Country":"""#
        return Array(#"[{"AddressType":"STREET",\#(rest)},{"AddressType":"POBOX",\#(rest)}]"#.utf8)
    }()

    private static let blankPhones: [UInt8] = {
        let blank = ["DEFAULT", "DDI", "FAX", "MOBILE"].map {
            #"{"PhoneType":"\#($0)","PhoneNumber":"","PhoneAreaCode":"","PhoneCountryCode":""}"#
        }
        return Array("[\(blank.joined(separator: ","))]".utf8)
    }()

    func write(_ account: Account, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("AccountID", account.id.text)
            writer.field("Code", account.code)
            writer.field("Name", account.name)
            writer.field("Status", account.isActive ? "ACTIVE" : "ARCHIVED")
            writer.field("Type", account.type.rawValue)
            writer.field("TaxType", account.taxType)
            writer.field("Class", account.type.accountClass)
            if !account.systemAccount.isEmpty { writer.field("SystemAccount", account.systemAccount) }
            writer.field("EnablePaymentsToAccount", account.enablesPayments)
            writer.field("ShowInExpenseClaims", false)
            if account.type == .bank {
                writer.field("BankAccountNumber", "0209087654321050")
                writer.field("BankAccountType", "BANK")
                writer.field("CurrencyCode", settings.currency)
            }
            writer.field("ReportingCode", "")
            writer.field("HasAttachments", false)
            writer.field("UpdatedDateUTC", Moment.wire(0))
            writer.field("AddToWatchlist", false)
        }
    }

    func write(_ rate: TaxRate, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("Name", rate.name)
            writer.field("TaxType", rate.type)
            writer.field("ReportTaxType", rate.reportType)
            writer.field("CanApplyToAssets", rate.classes.contains("ASSET"))
            writer.field("CanApplyToEquity", rate.classes.contains("EQUITY"))
            writer.field("CanApplyToExpenses", rate.classes.contains("EXPENSE"))
            writer.field("CanApplyToLiabilities", rate.classes.contains("LIABILITY"))
            writer.field("CanApplyToRevenue", rate.classes.contains("REVENUE"))
            writer.field("DisplayTaxRate", number: rate.rate.text)
            writer.field("EffectiveRate", number: rate.rate.text)
            writer.field("Status", "ACTIVE")
            writer.key("TaxComponents")
            writer.array { writer in
                writer.object { writer in
                    writer.field("Name", settings.country == .unitedKingdom ? "VAT" : "GST")
                    writer.field("Rate", number: rate.rate.text)
                    writer.field("IsCompound", false)
                    writer.field("IsNonRecoverable", false)
                }
            }
        }
    }

    func write(_ category: TrackingCategory, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("Name", category.name)
            writer.field("Status", "ACTIVE")
            writer.field("TrackingCategoryID", category.id.text)
            writer.key("Options")
            writer.array { writer in
                for option in category.options {
                    writer.object { writer in
                        writer.field("TrackingOptionID", option.id.text)
                        writer.field("Name", option.name)
                        writer.field("Status", option.isActive ? "ACTIVE" : "ARCHIVED")
                        writer.field("HasValidationErrors", false)
                        writer.field("IsDeleted", false)
                        writer.field("IsArchived", !option.isActive)
                        writer.field("IsActive", option.isActive)
                    }
                }
            }
        }
    }

    func write(_ item: Item, status: String? = nil, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("ItemID", item.id.text)
            writer.field("Code", item.code)
            writer.field("Description", item.description)
            writer.field("UpdatedDateUTC", Moment.wire(item.updated))
            writer.key("PurchaseDetails")
            writer.object { _ in }
            writer.key("SalesDetails")
            writer.object { writer in
                if let price = item.unitPrice { writer.field("UnitPrice", number: price.text) }
                if !item.accountCode.isEmpty { writer.field("AccountCode", item.accountCode) }
                if !item.taxType.isEmpty { writer.field("TaxType", item.taxType) }
            }
            writer.field("Name", item.name)
            writer.field("IsTrackedAsInventory", false)
            writer.field("IsSold", item.isSold)
            writer.field("IsPurchased", false)
            if let status { writer.field("StatusAttributeString", status) }
        }
    }

    func writeOrganisation(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("Name", settings.name)
            writer.field("LegalName", settings.name)
            writer.field("PaysTax", true)
            writer.field("Version", settings.country == .australia ? "AU" : settings.country.rawValue)
            writer.field("OrganisationType", "COMPANY")
            writer.field("BaseCurrency", settings.currency)
            writer.field("CountryCode", settings.country.rawValue)
            writer.field("IsDemoCompany", false)
            writer.field("OrganisationStatus", "ACTIVE")
            writer.field("FinancialYearEndDay", settings.country == .australia ? 30 : 31)
            writer.field("FinancialYearEndMonth", settings.country == .australia ? 6 : 3)
            writer.field("SalesTaxBasis", "ACCRUALS")
            writer.field("SalesTaxPeriod", "QUARTERLY1")
            writer.field("DefaultSalesTax", "Tax Inclusive")
            writer.field("DefaultPurchasesTax", "Tax Inclusive")
            if let lock = settings.periodLockDate { writer.field("PeriodLockDate", lock.wire) }
            if let lock = settings.endOfYearLockDate { writer.field("EndOfYearLockDate", lock.wire) }
            writer.field("CreatedDateUTC", "/Date(1455827393000)/")
            writer.field("OrganisationEntityType", "COMPANY")
            writer.field("Timezone", settings.vendorTimezone)
            let hash = digest(settings.tenantID.utf8)
            writer.field("ShortCode", "!" + String(String(hash, radix: 36, uppercase: true).prefix(5)))
            writer.field("OrganisationID", settings.tenantID)
            writer.field("Edition", "BUSINESS")
            writer.field("Class", "PREMIUM")
            for name: StaticString in ["Addresses", "Phones", "ExternalLinks"] {
                writer.key(name)
                writer.raw("[]".utf8)
            }
            writer.key("PaymentTerms")
            writer.object { _ in }
        }
    }
}
