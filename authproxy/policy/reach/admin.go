package reach

import "strings"

// adminObjects are the objects whose records are users, permissions, metadata, code or
// credentials: who writes them administers the org. In lower case; beside them whatever ends
// in __mdt (custom metadata).
var adminObjects = func() map[string]bool {
	objects := make(map[string]bool)
	for _, object := range strings.Fields(`
		User UserLicense UserLogin UserRole UserPackageLicense UserProvAccount UserProvisioningConfig UserTerritory2Association
		Group GroupMember QueueSobject Profile PermissionSet PermissionSetAssignment PermissionSetGroup PermissionSetGroupComponent
		PermissionSetLicense PermissionSetLicenseAssign PermissionSetTabSetting MutingPermissionSet ObjectPermissions FieldPermissions
		SetupEntityAccess CustomPermission CustomPermissionDependency SessionPermSetActivation DelegateGroup DelegateGroupMember
		LoginIp LoginHistory AuthSession AuthProvider AuthConfig AuthConfigProviders SamlSsoConfig TwoFactorInfo TwoFactorMethodsInfo
		TwoFactorTempCode VerificationHistory ThirdPartyAccountLink OauthToken OauthCustomScope OauthCustomScopeApp ConnectedApplication
		ExternalClientApplication ExtlClntAppOauthSettings ExtlClntAppGlobalOauthSettings ExtlClntAppOauthPlcyCnfg Certificate TenantSecret
		NamedCredential ExternalCredential ExternalCredentialParameter UserExternalCredential ExternalDataSource ExternalDataUserAuth
		ExternalServiceRegistration RemoteProxy CspTrustedSite CorsWhitelistEntry IPAddressRange MyDomainDiscoverableLogin DomainSite
		Domain Site Network NetworkMemberGroup OrgWideEmailAddress EmailServicesFunction EmailServicesAddress EmailDomainKey EmailRelay
		TransactionSecurityPolicy SecurityCustomBaseline ApexClass ApexTrigger ApexPage ApexComponent ApexTestQueueItem AuraDefinition
		AuraDefinitionBundle LightningComponentBundle LightningComponentResource StaticResource FlexiPage Flow FlowDefinition
		AsyncApexJob CronTrigger CustomField CustomObject EntityDefinition FieldDefinition ValidationRule WorkflowRule
		AssignmentRule MatchingRule DuplicateRule RecordType BusinessProcess Layout QuickActionDefinition WebLink CustomTab
		PlatformEventChannel PlatformEventChannelMember PushTopic StreamingChannel EventBusSubscriber MetadataContainer
		MetadataComponentDependency ContainerAsyncRequest ApexClassMember ApexTriggerMember InstalledSubscriberPackage PackageInstallRequest
		PackageUploadRequest Package2 Package2Version SandboxInfo SandboxProcess TraceFlag DebugLevel ApexLog Organization OrgDeleteRequest
		Territory2 Territory2Model ServicePrincipal AgentDefinition BotDefinition BotVersion GenAiPlannerDefinition`) {
		objects[strings.ToLower(object)] = true
	}
	return objects
}()

// isAdminObject reports whether records of an object are users, permissions, metadata, code or
// credentials.
func isAdminObject(object string) bool {
	var b [64]byte
	name := Lower(b[:0], object)
	return adminObjects[string(name)] || strings.HasSuffix(string(name), "__mdt") || strings.HasSuffix(string(name), "share")
}

// raise makes a write to a record of an object one of the class [Admin] where that administers
// the org. Sharing records decide who sees what, and count as permissions.
func (f *reading) raise(object string) {
	if isAdminObject(object) && (f.Class == Create || f.Class == Update || f.Class == Delete || f.Class == Unknown) {
		f.Class = Admin
	}
}
