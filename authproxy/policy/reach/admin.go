package reach

import (
	"slices"
	"strings"
)

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

// adminFamilies are how names of further such objects begin: there are many of each kind, and
// more with every release.
var adminFamilies = []string{
	"permissionset", "mutingpermissionset", "portaldelegablepermissionset", "objectterritory2", "ruleterritory2", "territory2",
	"userprov", "extlclntapp", "externalclientapp", "externalcredential", "externalauthidentityprovider", "externalencryption",
	"dataencryption", "namedcredential", "oauth", "authprov", "authconfig", "authsession", "samlsso", "twofactor", "apex",
	"auradefinition", "lightningcomponent", "metadatapackage", "package2", "packagepush", "mobilesecurity", "networkauth",
	"networkselfregistration", "orgemailaddresssecurity", "customhttpheader", "redirectwhitelist", "iframewhitelist", "siteiframewhitelist",
}

// isAdminObject reports whether records of an object are users, permissions, metadata, code or
// credentials.
func isAdminObject(object string) bool {
	var b [64]byte
	name := string(Lower(b[:0], object))
	switch {
	case adminObjects[name] || strings.HasSuffix(name, "__mdt") || strings.HasSuffix(name, "share"):
		return true
	case strings.HasSuffix(name, "__c"):
		return false
	}
	return slices.ContainsFunc(adminFamilies, func(family string) bool { return strings.HasPrefix(name, family) })
}

// Administers returns where the call names an object by whose records the org is administered.
func (v *Value) Administers() (at Place, ok bool) {
	i := slices.IndexFunc(v.Objects, func(o Object) bool { return isAdminObject(o.Name) })
	if i < 0 {
		return Place{}, false
	}
	return v.Objects[i].At, true
}

// raise makes a write to a record of an object one of the class [Admin] where that administers
// the org. Sharing records decide who sees what, and count as permissions.
func (f *reading) raise(object string) {
	if f.writes() && isAdminObject(object) {
		f.administer()
	}
}

// writes reports whether the class is one of writes that may be of the class [Admin] by what
// they are done to.
func (f *reading) writes() bool {
	return f.Class == Create || f.Class == Update || f.Class == Delete || f.Class == Unknown
}

// raiseRelated does the same for a record to which a relation leads. Where nobody knows what it
// is, it may be a user: a lookup of one's own to User has any name.
func (f *reading) raiseRelated(object string) {
	if f.raise(object); object == UnknownObject && f.writes() {
		f.administer()
	}
}
