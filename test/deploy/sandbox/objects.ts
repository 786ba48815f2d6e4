/** The fields of Kubernetes objects that the sandbox uses. */
interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Labels;
}
export type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[];
}

export interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number | string };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env?: readonly {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } };
  }[];
  readonly ports?: readonly { name?: string; containerPort: number }[];
  readonly volumeMounts?: readonly { name: string; mountPath: string; subPath?: string }[];
  readonly securityContext?: SecurityContext;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly fsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
}

interface Files {
  readonly name?: string;
  readonly secretName?: string;
  readonly defaultMode?: number;
  readonly items?: readonly { key: string; path: string }[];
  readonly optional?: boolean;
}

export interface Volume {
  readonly name: string;
  readonly emptyDir?: object;
  readonly configMap?: Files;
  readonly secret?: Files;
  readonly projected?: { readonly sources: readonly { configMap?: Files; secret?: Files }[] };
}

export interface Deployment {
  readonly kind: 'Deployment';
  readonly metadata: Meta;
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly containers: readonly [Container];
        readonly initContainers?: readonly Container[];
        readonly volumes?: readonly Volume[];
        readonly securityContext?: SecurityContext;
        readonly terminationGracePeriodSeconds?: number;
      };
    };
  };
}

export interface ConfigMap {
  readonly kind: 'ConfigMap';
  readonly metadata: Meta;
  readonly data: Readonly<Record<string, string>>;
}

export interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly { protocol?: string; port?: number | string; endPort?: number }[];
}

export interface NetworkPolicy {
  readonly kind: 'NetworkPolicy';
  readonly metadata: Meta;
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly PolicyRule[];
    readonly egress?: readonly PolicyRule[];
  };
}

export type KubernetesObject =
  | Deployment
  | ConfigMap
  | NetworkPolicy
  | { readonly kind: string; readonly metadata: Meta };

/** All objects of a kind. */
export function ofKind<T extends KubernetesObject>(objects: readonly KubernetesObject[], kind: string): T[] {
  return objects.filter((object): object is T => object.kind === kind);
}

/** The only object of a kind whose name matches; throws unless there is exactly one. */
export function named<T extends KubernetesObject>(
  objects: readonly KubernetesObject[],
  kind: string,
  matches: (name: string) => boolean,
): T {
  const found = ofKind<T>(objects, kind).filter(({ metadata }) => matches(metadata.name));
  if (found.length !== 1)
    throw new Error(
      `${found.length} objects of kind ${kind} match; existing: ${ofKind(objects, kind).map(({ metadata }) => metadata.name)}`,
    );
  return found[0]!;
}

export function selects(selector: Selector, labels: Labels): boolean {
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
      if (operator === 'In') return values!.includes(labels[key] ?? '');
      if (operator === 'NotIn') return !values!.includes(labels[key] ?? '');
      if (operator === 'Exists') return key in labels;
      if (operator === 'DoesNotExist') return !(key in labels);
      throw new Error(`the selector operator ${operator} is not supported`);
    })
  );
}
