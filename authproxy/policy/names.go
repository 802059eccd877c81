package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/policy/reach"
)

// This file holds names of Salesforce's standard schema to hold the names in rules against.
// Nothing is decided by them: what they lack is asked about, and passes.

// furtherObjects are standard objects beside [reach.StandardObjects] that rules may speak of.
var furtherObjects = strings.Fields(`
	AcceptedEventRelation AccountBrand AccountCleanInfo AccountInsight AccountPlan AccountRelationship Address AgentWork
	AggregateResult AIApplication AIInsightValue AlternativePaymentMethod Announcement ApexComponent ApexLog ApexPage ApexTestResult
	ApexTestSuite AppMenuItem Approval AsyncApexJob AssetRelationship AssetWarranty AssignmentRule AssociatedLocation
	AuthProvider AuthorizationForm AuthorizationFormConsent AuthorizationFormText BackgroundOperation BrandTemplate BuyerGroup
	CampaignInfluence CampaignMemberStatus CartItem CaseArticle CaseContactRole CaseMilestone CaseSolution CaseStatus CaseTeamRole
	ChatterActivity ClientBrowser CollaborationGroup CollaborationGroupMember CommSubscription CommSubscriptionConsent Community
	ConnectedApplication ConsumptionRate ContactCleanInfo ContactPointAddress ContactPointConsent ContactPointEmail ContactPointPhone
	ContactPointTypeConsent ContactSuggestionInsight ContentAsset ContentBody ContentDistribution ContentDistributionView
	ContentDocumentHistory ContentFolder ContentFolderItem ContentFolderLink ContentFolderMember ContentNote ContentTagSubscription
	ContentUserSubscription ContentVersionComment ContentVersionRating ContentWorkspace ContentWorkspaceDoc ContentWorkspaceMember
	ContentWorkspacePermission ContractLineItem ContractStatus Conversation ConversationEntry ConversationParticipant Coupon
	CreditMemo CreditMemoLine CronJobDetail CronTrigger CurrencyType CustomNotificationType CustomPermission CustomPermissionDependency
	Customer DandBCompany DashboardComponent DataUseLegalBasis DataUsePurpose DatacloudContact DatedConversionRate DeclinedEventRelation
	DelegatedAccount DigitalSignature DigitalWallet Document DocumentAttachmentMap Domain DomainSite DuplicateRecordSet DuplicateRule
	ElectronicMediaGroup EmailCapture EmailDomainKey EmailMessageRelation EmailServicesAddress EmailServicesFunction EmailStatus
	EmbeddedServiceDetail EngagementChannelType EntitlementContact EntitlementTemplate EntityDefinition EntityMilestone
	EntityParticle EntitySubscription EventLogFile EventRelation EventWhoRelation Expense ExpenseReport ExternalDataSource
	ExternalDataUserAuth ExternalEvent FeedAttachment FeedItem FeedLike FeedPollChoice FeedPollVote FeedPost FeedRevision FeedSignal
	FieldDefinition FieldPermissions FieldServiceMobileSettings FinanceTransaction FiscalYearSettings FlowDefinitionView
	FlowInterview FlowRecord FlowVersionView ForecastingAdjustment ForecastingItem ForecastingQuota ForecastShare FormulaFunction
	FulfillmentOrder Goal GoalLink GrantedByLicense Holiday IdeaComment Idea Image InstalledMobileApp Invoice InvoiceLine Knowledge
	KnowledgeArticle KnowledgeArticleVersion KnowledgeArticleViewStat KnowledgeArticleVoteStat LandingPage LeadCleanInfo LeadStatus
	LegalEntity LightningUsageByAppTypeMetrics LinkedArticle ListEmail ListView LiveAgentSession LiveChatBlockingRule
	LiveChatButton LiveChatSensitiveDataRule LiveChatTranscript LiveChatTranscriptEvent LiveChatTranscriptSkill LiveChatVisitor
	Location LocationTrustMeasure LoginEvent LoginGeo LogoutEvent LookedUpFromActivity Macro MacroInstruction MailmergeTemplate
	MaintenanceAsset MaintenancePlan MatchingRule MessagingChannel MessagingEndUser MessagingSession Metric MetricDataLink
	MilestoneType MobileApplicationDetail MyDomainDiscoverableLogin ObjectPermissions ObjectTerritory2Association
	OmniDataTransform OmniProcess OnboardingMetrics OperatingHours OpportunityFieldHistory OpportunityLineItemSchedule
	OpportunitySplit OpportunityStage OrderStatus OrderSummary OrgDeleteRequest OrgWideEmailAddress OutgoingEmail OwnedContentDocument
	OwnerChangeOptionInfo PackageLicense PartnerNetworkConnection PartnerRole Payment PaymentAuthorization PaymentGateway
	PaymentGroup PaymentLineInvoice PaymentMethod Period PermissionSetAssignment PermissionSetGroup PermissionSetGroupComponent
	PermissionSetLicense PermissionSetLicenseAssign PermissionSetTabSetting PersonalizationTargetInfo PlatformAction Problem
	ProcessDefinition ProcessException ProcessInstanceNode ProcessNode ProductConsumed ProductItem ProductItemTransaction
	ProductMedia ProductRequest ProductRequestLineItem ProductRequired ProductTransfer ProductCategory ProductCategoryProduct
	Promotion PushTopic Question QueueSobject QuickText QuoteDocument RecentlyViewed RecordAction RecordsetFilterCriteria Refund Reply
	ReportEvent ResourceAbsence ResourcePreference ReturnOrder ReturnOrderLineItem RevenueTransactionErrorLog Scontrol
	Scorecard ScorecardAssociation ScorecardMetric SearchLayout SearchPromotionRule SecurityCustomBaseline SelfServiceUser
	ServiceAppointment ServiceChannel ServiceCrew ServiceCrewMember ServicePresenceStatus ServiceReport ServiceResource
	ServiceResourceSkill ServiceTerritory ServiceTerritoryMember SessionPermSetActivation SetupAssistantStep SetupEntityAccess
	Shift ShiftPattern Shipment Site SkillRequirement Skill SlaProcess SocialPersona SocialPost SolutionStatus SOSDeployment
	SOSSession StaticResource StreamingChannel Survey SurveyInvitation SurveyPage SurveyQuestion SurveyQuestionResponse
	SurveyResponse SurveySubject SurveyVersion TagDefinition TaskPriority TaskRelation TaskStatus TaskWhoRelation TenantSecret
	TenantUsageEntitlement Territory2 Territory2Model Territory2Type TestSuiteMembership ThirdPartyAccountLink TimeSheet
	TimeSheetEntry TimeSlot Topic TodayGoal TransactionSecurityPolicy UndecidedEventRelation UserAccountTeamMember
	UserAppInfo UserAppMenuItem UserCustomBadge UserEmailPreferredPerson UserEntityAccess UserFieldAccess UserListView
	UserListViewCriterion UserPackageLicense UserPermissionAccess UserPreference UserProvAccount UserProvisioningRequest
	UserRecordAccess UserServicePresence UserShare UserTeamMember UserTerritory2Association VerificationHistory Visit Vote
	VoiceCall WarrantyTerm WebCart WebLink WebStore WorkAccess WorkBadge WorkBadgeDefinition WorkCapacityLimit WorkDotComSettings
	WorkOrderStatus WorkPlan WorkReward WorkStep WorkType WorkTypeGroup Name
	Certificate CustomHttpHeader ExternalClientApplication SamlSsoConfig UserExternalCredential`)

// knownFields are fields of the standard objects that rules speak of most.
var knownFields = strings.Fields(`
	AboutMe AccountId AccountNumber AccountSource ActivatedDate ActivityDate ActivityDateTime ActualCost Alias Amount
	AmountAllOpportunities AmountWonOpportunities AnnualRevenue AssetId AssignedToId AssistantName AssistantPhone BccAddress
	BillingAddress BillingCity BillingCountry BillingCountryCode BillingGeocodeAccuracy BillingLatitude BillingLongitude BillingPostalCode
	BillingState BillingStateCode BillingStreet Birthdate Body BodyLength BudgetedCost BusinessHoursId CallDisposition
	CallDurationInSeconds CallType CampaignId CaseId CaseNumber CcAddress City CleanStatus CloseDate ClosedDate CommentBody Comments
	CommunityNickname Company CompanyName CompanySignedDate CompanySignedId ContactEmail ContactFax ContactId ContactMobile ContactPhone
	ContentDocumentId ContentType ContractId ContractNumber ContractTerm ConvertedAccountId ConvertedContactId ConvertedDate
	ConvertedOpportunityId Country CountryCode CreatedById CreatedDate CurrencyIsoCode CustomerSignedDate CustomerSignedId CustomerSignedTitle
	DandbCompanyId Department Description Discount Division DunsNumber DurationInMinutes Email EmailBouncedDate EmailBouncedReason
	EmployeeNumber EndDate EndDateTime ExpectedRevenue ExpirationDate Extension Family Fax FederationIdentifier FileExtension FileType
	FirstName FirstRespondedDate Fiscal FiscalQuarter FiscalYear ForecastCategory ForecastCategoryName FromAddress FromName
	GenderIdentity GeocodeAccuracy HasOpportunityLineItem HasOptedOutOfEmail HasOptedOutOfFax HasResponded Headers HomePhone HtmlBody Id
	IndividualId Industry InstallDate IsActive IsClosed IsConverted IsDeleted IsEscalated IsPersonAccount IsPrivate IsPublished
	IsUnreadByOwner IsWon Jigsaw Language LanguageLocaleKey LastActivityDate LastCURequestDate LastCUUpdateDate LastLoginDate
	LastModifiedById LastModifiedDate LastName LastReferencedDate LastViewedDate Latitude LeadId LeadSource ListPrice Location
	LocaleSidKey Longitude MailingAddress MailingCity MailingCountry MailingCountryCode MailingGeocodeAccuracy MailingLatitude MailingLongitude
	MailingPostalCode MailingState MailingStateCode MailingStreet ManagerId MasterRecordId MiddleName MobilePhone NaicsCode NaicsDesc Name
	NextStep NumberOfEmployees NumberOfResponses OpportunityId OrderId OrderNumber Origin OtherAddress OtherCity OtherCountry OtherPhone
	OtherPostalCode OtherState OtherStreet OwnerId Ownership ParentId PersonBirthdate PersonContactId PersonEmail PersonHomePhone
	PersonMailingAddress PersonMailingCity PersonMailingCountry PersonMailingPostalCode PersonMailingState PersonMailingStreet PersonMobilePhone
	PersonTitle Phone PhotoUrl PostalCode Price Pricebook2Id PricebookEntryId Priority PrivateDate Probability Product2Id ProductCode
	ProfileId Pronouns PurchaseDate Quantity QuantityUnitOfMeasure QuoteId Rating Reason RecordTypeId ReportsToId Rollup SalesPrice
	Salutation SerialNumber ServiceDate SharingType ShippingAddress ShippingCity ShippingCountry ShippingCountryCode ShippingLatitude
	ShippingLongitude ShippingPostalCode ShippingState ShippingStateCode ShippingStreet Sic SicDesc Site SlaExitDate SlaStartDate
	SourceId StageName StartDate StartDateTime State StateCode Status StatusCode StockKeepingUnit StopStartDate Street Subject Subtotal
	SuffixName Suffix SuppliedCompany SuppliedEmail SuppliedName SuppliedPhone SystemModstamp TextBody TickerSymbol TimeZoneSidKey
	Title ToAddress TotalAmount TotalOpportunityQuantity TotalPrice Tradestyle Type UnitPrice UsageEndDate UserId UserRoleId UserType
	Username VersionData Website WhatId WhoId YearStarted LastTransferDate LastPasswordChangeDate Signature SenderEmail SenderName
	IsAllDayEvent IsReminderSet ReminderDateTime RecurrenceType Field OldValue NewValue ContentSize Visibility IsVisible
	NumberSent NumberOfLeads NumberOfContacts NumberOfOpportunities IsPrimary Role ContactRole AccessLevel TeamMemberRole`)

// knownObjects are the names of all standard objects that are known here.
var knownObjects = func() []string {
	all := append(reach.StandardObjects(), furtherObjects...)
	slices.Sort(all)
	return slices.Compact(all)
}()

// Meant is `, did you mean "NAME"?` for a tool that the policy does not know of the hosted server it stands in front of (see
// [Policy.For]), and that is none of listed, what the server lists; "" if it is known, or no name is near.
func (p *Policy) Meant(tool string, listed []string) string {
	if slices.Contains(listed, tool) || p.ClassesOf(tool)[0] != Unknown {
		return ""
	}
	names := slices.Clone(listed)
	for name := range p.catalogue.Tools() {
		names = append(names, name)
	}
	slices.Sort(names)
	return nearest.Question(tool, names)
}

// toolNames are the names of the catalogue's tools, or of its prompts.
func toolNames(prompts bool) (all []string) {
	for name := range (reach.Catalogue{}).Tools() {
		if (reach.OtherKind(name) != "") == prompts {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
